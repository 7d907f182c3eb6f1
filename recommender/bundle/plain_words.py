"""Words that say nothing of what a text is about."""

from __future__ import annotations

from recommender.text.terms import fold

# Words that say nothing of what a text is about, of English and of languages near it, beside
# ``terms.FUNCTION_WORDS``, which no term is: they may bear on likeness, but no sentence names them.
PLAIN = frozenset(
    fold(word)
    for word in """
    about above across after again against all almost alone along already also although always
    among another any anyone anything around away back because become becomes before begin
    begins behind being below best better between beyond both bring brings call called calls
    cause caused causes certain change changes come comes common cannot day days describe
    described different due each early easily either else end enough especially even ever
    every everyone everything example far feel feels few find first following found full
    further general get gets getting give given gives go goes going good great group half hand
    help helps high however important include included includes including instead just keep
    keeps kept kind kinds know known large larger last late later least less let like likely
    little long longer look looks lot low lower made main mainly make makes making many mean
    means more most much must name named near need needs never new next no normal not nothing
    now number of off often old once one only other others otherwise out over own part parts
    people perhaps person place possible provide put quite rather really reason right same say
    says second see seem seems seen several show shown shows side similar since small so some
    someone something sometimes soon start still such sure take taken takes tell tells thing
    things think though three through time times together too took toward towards try turn two
    under until up upon use used useful uses using usually various very want wants way ways
    well went whether while whole within without work works world would year years yet avoid
    ease eases per prevent problem problems sign signs stop term terms treat treated treating
    truly aber als am auch auf aus bei beim bis das dass dem den der des die doch durch ein
    eine einem einen einer eines er es für gegen hat haben hilft ihr ihre im ist kann mehr mit
    nach nicht noch nur oder ohne sein sich sie sind über um und unter vom von vor war was
    wenn werden wie wird zu zum zur au aux avec ce ces cette comme comment contre dans de du
    elle en est et être il ils je la le les leur lors lui mais même ne nous ou où par pas plus
    pour qu que quel quelle quels qui quoi sa sans se ses son sont sur un une vous al algo
    como con contra cual cuando cómo del desde donde el ella entre era esta este fue hace
    hasta hay las lo los más muy o para pero por porque qué ser si sin sobre su sus también
    tras tu una uno y ya che chi cosa da dal dalla dei della delle di e gli ha i in ma nel
    nella non perché più quali quando quanto questo sono sua sul ao as com do dos em foi mas
    na nas não nos os pela pelo qual sem seu são uma aan bij dan dat deze dit door een het hoe
    hun is maar met naar niet nog om ook op te tegen tot uit van voor waar wat we wel wordt
    zijn zo att av blir det där efter eller ett från för har hur inte kan med men mot när och
    på sig som så till vad var vid vilka är af at dette fra hvad hvor hvordan ikke mod når og
    skal til ved være ei eli ennen että ja jo joka jos kanssa kuin kuinka kun kuten mikä miksi
    mikäli mitä miten mukaan mutta myös niin noin nyt ole oli on ovat sekä sen siitä sitä tai
    tämä voi voivat yli ale aby albo bez być co czy dla gdy ich jak jako jest już które który
    lub może nad nie niż od oraz po pod przed przez przy są się tak tego ten to tylko w więc z
    za ze że
    """.split()  # noqa: SIM905 - a paragraph is easier to read than a column
)
