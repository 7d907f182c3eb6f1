"""A site in two languages: tomatoes that have one name, and one set of figures, in both."""

from dataclasses import replace

from recommender.articles.article import Article

# By name: height in cm, days to the harvest, grams of a fruit, degrees at night.
TOMATOES = {
    "Moneymaker": (180, 75, 90, 12),
    "Black Krim": (160, 80, 300, 14),
    "San Marzano": (170, 85, 120, 15),
    "Brandywine": (200, 95, 450, 13),
    "Gardener's Delight": (190, 65, 20, 11),
    "Tigerella": (150, 70, 60, 10),
}
# One that the site has no page on.
NEW = {"Green Zebra": (140, 78, 70, 12)}
ENGLISH = (
    "{0} grows {1} cm tall and is ready to pick {2} days after planting. A fruit of {0} weighs "
    "{3} g. The plants like warm soil and plenty of water, and they suffer when the nights are "
    "colder than {4} °C. Take out the side shoots of {0} every week."
)
GERMAN = (
    "{0} wird {1} cm hoch und kann {2} Tage nach dem Pflanzen geerntet werden. Eine Frucht von {0} "
    "wiegt {3} g. Die Pflanzen mögen warme Erde und viel Wasser, und sie leiden, wenn die Nächte "
    "kälter als {4} °C sind. Brechen Sie die Seitentriebe von {0} jede Woche aus."
)


def page(id: str, language: str, name: str, *, said: bool = True) -> Article:
    """A page on one tomato, ``en`` or ``de``, which says what language it is in or does not."""
    title = f"Growing {name} in a pot" if language == "en" else f"{name} im Topf anbauen"
    body = (ENGLISH if language == "en" else GERMAN).format(name, *(TOMATOES | NEW)[name])
    return Article(
        id=id,
        title=title,
        body=body,
        url=f"https://example.org/{id}",
        category="tomatoes",
        language={"en": "en-GB", "de": "de"}[language] if said else None,
    )


def site(*, said: bool = True) -> list[Article]:
    """A page on each tomato in each language; every page's editors picked its twin in the other."""
    found = []
    for at, name in enumerate(TOMATOES):
        for language, other in (("en", "de"), ("de", "en")):
            made = page(f"{language}-{at}", language, name, said=said)
            found.append(replace(made, recommended=(f"{other}-{at}",)))
    return found
