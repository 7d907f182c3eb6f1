"""Loops over the bytes of many texts, compiled: their chunks, their statements, and their counts.

What they find is what ``terms`` finds text by text (``vectorising`` says how). Texts are UTF-8, one
after the other with a byte between that is no part of any; text *i* is
``text[heads[i]:heads[i + 1] - 1]``.
"""

from __future__ import annotations

import numpy as np

from recommender.text.compiled import compiled
from recommender.text.terms import FINGERPRINT_BYTES

# Classes of characters: in the lower bits what it is to statements, above what it is to chunks.
SPACE, NEWLINE, STOP, WIDE_STOP = 1, 2, 3, 4
STATEMENT, LINE_END, DIGIT, UPPER, LOWER, INNER, BEYOND = 7, 8, 16, 32, 64, 128, 256
IN_CHUNK = DIGIT | UPPER | LOWER | INNER | BEYOND
ALPHANUMERIC, LETTERS = DIGIT | UPPER | LOWER, UPPER | LOWER


def _classes() -> np.ndarray:
    """What each byte is, ``(256,)``: of ASCII the character, of others where they may begin."""
    found = np.zeros(256, dtype=np.int32)
    for code in range(128):
        character = chr(code)
        if character.isspace():
            found[code] = NEWLINE if character in "\r\n" else SPACE
            if character.splitlines() == [""]:
                found[code] |= LINE_END
        elif character in ".!?":
            found[code] = STOP
        found[code] |= DIGIT * character.isdigit() | LOWER * character.islower()
        # Within a word or number, but at neither end of one.
        found[code] |= UPPER * character.isupper() | INNER * (character in "'.,")
    found[128:] = BEYOND
    return found


CLASSES = _classes()
# BLAKE2b (RFC 7693): the initial value, and the order of the message's words in each round.
INITIAL = np.array(
    [
        0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1,
        0x510E527FADE682D1, 0x9B05688C2B3E6C1F, 0x1F83D9ABFB41BD6B, 0x5BE0CD19137E2179,
    ],
    dtype=np.uint64,
)  # fmt: skip
ORDER = np.array(
    [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
        [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
        [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
        [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
        [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
        [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
        [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
        [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
        [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
        [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
        [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
    ],
    dtype=np.int64,
)  # fmt: skip
# The columns and diagonals of the state that one round mixes.
MIXED = np.array(
    [
        [0, 4, 8, 12], [1, 5, 9, 13], [2, 6, 10, 14], [3, 7, 11, 15],
        [0, 5, 10, 15], [1, 6, 11, 12], [2, 7, 8, 13], [3, 4, 9, 14],
    ],
    dtype=np.int64,
)  # fmt: skip
# Parameters of an unkeyed hash of that many bytes: fan-out and depth of 1.
PARAMETERS = np.uint64(0x01010000 + FINGERPRINT_BYTES)
BLOCK = 128  # bytes compressed at once
PRIME = np.uint64(0x9E3779B97F4A7C15)  # of the hash of chunks, odd


@compiled
def _class_at(text, at, end):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """What the character is that begins at a byte, and how many bytes it has; of letters beyond
    ASCII the bytes are passed one by one.
    """
    first = text[at]
    kind = CLASSES[first]
    if first < 0x80:
        return kind, 1
    # White space as Unicode has it, and the full stops that part sentences without one.
    if first == 0xC2 and at + 1 < end:
        if text[at + 1] == 0x85:
            return SPACE | LINE_END, 2
        if text[at + 1] == 0xA0:
            return SPACE, 2
    elif first == 0xE2 and at + 2 < end:
        second, third = text[at + 1], text[at + 2]
        if second == 0x80:
            if 0x80 <= third <= 0x8A or third == 0xAF:
                return SPACE, 3
            if third == 0xA8 or third == 0xA9:
                return SPACE | LINE_END, 3
            # Dashes and quotation marks, apart from the one that is an apostrophe, and the like.
            if 0x90 <= third <= 0x98 or 0x9A <= third <= 0xA2 or third == 0xA6:
                return 0, 3
        elif second == 0x81 and third == 0x9F:
            return SPACE, 3
    elif first == 0xE3 and at + 2 < end and text[at + 1] == 0x80:
        if text[at + 2] == 0x80:
            return SPACE, 3
        if text[at + 2] == 0x82:
            return WIDE_STOP, 3
    elif first == 0xE1 and at + 2 < end and text[at + 1] == 0x9A and text[at + 2] == 0x80:
        return SPACE, 3
    elif (
        first == 0xEF
        and at + 2 < end
        and text[at + 1] == 0xBC
        and (text[at + 2] == 0x81 or text[at + 2] == 0x9F)
    ):
        return WIDE_STOP, 3
    return kind, 1


@compiled
def chunks(text, heads):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Texts as numbers of chunks: runs of letters, digits, what may stand within a word, and all
    beyond ASCII that is no space. Different chunks are numbered as they come.

    Returns the ``numbers``, ``(n_chunks,)``, and whether a line ``begins`` with each; how many
    chunks there are up to the end of each text; the different ones, each with a newline behind it,
    in lower case unless the case of their letters may matter; and which of these are ``plain``
    words: letters and digits of ASCII, a letter first.
    """
    size = len(text)
    numbers = np.empty((size + 1) // 2, dtype=np.int32)
    begins = np.zeros((size + 1) // 2, dtype=np.bool_)
    ends = np.zeros(len(heads) - 1, dtype=np.int64)
    # Room for as many as there can be, of which hardly any is touched.
    pool = np.empty(2 * size + 2, dtype=np.uint8)
    starts = np.empty((size + 1) // 2, dtype=np.int64)
    hashes = np.empty((size + 1) // 2, dtype=np.uint64)
    plain = np.empty((size + 1) // 2, dtype=np.bool_)
    table = np.full(1 << 14, -1, dtype=np.int32)
    so_far = np.zeros(3, dtype=np.int64)
    row = 0
    while True:
        row = _chunk_rows(
            text, heads, row, numbers, begins, ends, pool, starts, hashes, plain, table, so_far
        )
        if row == len(heads) - 1:
            break
        table = np.full(4 * len(table), -1, dtype=np.int32)
        for other in range(so_far[1]):
            slot = np.int64(hashes[other] & np.uint64(len(table) - 1))
            while table[slot] >= 0:
                slot = (slot + 1) & (len(table) - 1)
            table[slot] = other
    n, n_different, filled = so_far
    return (
        numbers[:n].copy(),
        begins[:n].copy(),
        ends,
        pool[:filled].copy(),
        plain[:n_different].copy(),
    )


@compiled
def _chunk_rows(  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    text, heads, first_row, numbers, begins, ends, pool, starts, hashes, plain, table, so_far
):
    """Go on with ``chunks`` until the ``table`` may be too full for the text that comes next, whose
    row is returned. A table that grew within a loop would make it ten times as slow.
    """
    n, n_different, filled = so_far
    for row in range(first_row, len(heads) - 1):
        if 2 * n_different + heads[row + 1] - heads[row] >= len(table):
            so_far[0], so_far[1], so_far[2] = n, n_different, filled
            return row
        at, end = heads[row], heads[row + 1] - 1
        new_line = True
        while at < end:
            kind, width = CLASSES[text[at]], 1
            if kind & BEYOND:
                kind, width = _class_at(text, at, end)
            if not kind & IN_CHUNK:
                new_line |= kind & LINE_END != 0
                at += width
                continue
            first, kinds = at, 0
            while at < end:
                kind, width = CLASSES[text[at]], 1
                if kind & BEYOND:
                    kind, width = _class_at(text, at, end)
                if not kind & IN_CHUNK:
                    break
                kinds |= kind
                at += width
            last = at
            if kinds & INNER:
                while first < last and CLASSES[text[first]] & INNER:
                    first += 1
                while last > first and CLASSES[text[last - 1]] & INNER:
                    last -= 1
                if first == last:
                    continue
            is_plain = CLASSES[text[first]] & LETTERS != 0
            keeps_case = kinds & BEYOND != 0
            if kinds & (UPPER | INNER | BEYOND):
                # A name put together from words shows by its case: aB, 1B, ABcd.
                before, earlier = 0, 0
                for place in range(first, last):
                    kind = CLASSES[text[place]]
                    is_plain &= kind & ALPHANUMERIC != 0
                    keeps_case |= kind & UPPER != 0 and before & (LOWER | DIGIT) != 0
                    keeps_case |= kind & LOWER != 0 and before & earlier & UPPER != 0
                    before, earlier = kind, before
                is_plain &= not keeps_case
            value = np.uint64(last - first)
            lowered = UPPER if not keeps_case else 0
            tail = filled
            for place in range(first, last):
                byte = text[place]
                if CLASSES[byte] & lowered:
                    byte |= np.uint8(32)
                pool[tail] = byte
                tail += 1
                value = (value ^ np.uint64(byte)) * PRIME
            value ^= value >> np.uint64(32)
            length = last - first
            slot = np.int64(value & np.uint64(len(table) - 1))
            number = -1
            while table[slot] >= 0:
                other = table[slot]
                start = starts[other]
                # Behind the same bytes its newline shows that it ends there too.
                if hashes[other] == value and pool[start + length] == 10:
                    same = True
                    for place in range(length):
                        if pool[start + place] != pool[filled + place]:
                            same = False
                            break
                    if same:
                        number = other
                        break
                slot = (slot + 1) & (len(table) - 1)
            if number < 0:
                number = n_different
                starts[number], hashes[number], plain[number] = filled, value, is_plain
                pool[tail] = 10
                filled = tail + 1
                table[slot] = number
                n_different += 1
            numbers[n] = number
            begins[n] = new_line
            new_line = False
            n += 1
        ends[row] = n
    so_far[0], so_far[1], so_far[2] = n, n_different, filled
    return len(heads) - 1


@compiled
def expanded(numbers, heads, values):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Row after row of a ragged table, in the order of ``numbers``; and where each begins."""
    starts = np.empty(len(numbers) + 1, dtype=np.int64)
    size = 0
    for at in range(len(numbers)):
        starts[at] = size
        size += heads[numbers[at] + 1] - heads[numbers[at]]
    starts[len(numbers)] = size
    found = np.empty(size, dtype=values.dtype)
    for at in range(len(numbers)):
        place = starts[at]
        for entry in range(heads[numbers[at]], heads[numbers[at] + 1]):
            found[place] = values[entry]
            place += 1
    return found, starts


@compiled
def statements(text, heads):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Where the ``segments`` of each text begin and end, and their fingerprints, ``(n_segments,)``,
    and how many there are up to the end of each text.
    """
    size = 0
    for at in range(len(text)):
        size += CLASSES[text[at]] & STATEMENT != 0 or CLASSES[text[at]] & BEYOND != 0
    size += len(heads)
    starts = np.empty(size, dtype=np.int64)
    stops = np.empty(size, dtype=np.int64)
    prints = np.empty(size, dtype=np.uint64)
    ends = np.zeros(len(heads) - 1, dtype=np.int64)
    words, state, chain = (
        np.empty(16, dtype=np.uint64),
        np.empty(16, dtype=np.uint64),
        np.empty(8, dtype=np.uint64),
    )
    n = 0
    for row in range(len(heads) - 1):
        at, end = heads[row], heads[row + 1] - 1
        start, stop = -1, -1
        before = 0
        while at <= end:
            kind, width = NEWLINE, 1
            if at < end:
                kind = CLASSES[text[at]]
                if kind & BEYOND:
                    kind, width = _class_at(text, at, end)
                kind &= STATEMENT
            is_end = kind == NEWLINE or (kind == SPACE and before == STOP)
            if kind != SPACE and kind != NEWLINE:
                start = at if start < 0 else start
                stop = at + width
                is_end = kind == WIDE_STOP
            if is_end and start >= 0:
                starts[n], stops[n] = start, stop
                prints[n] = _fingerprint(text, start, stop, words, state, chain)
                n += 1
                start = -1
            before = kind
            at += width
        ends[row] = n
    return starts[:n].copy(), stops[:n].copy(), prints[:n].copy(), ends


@compiled
def _fingerprint(text, start, stop, words, state, chain):  # type: ignore[no-untyped-def]  # pragma: no cover
    """BLAKE2b of the bytes from ``start`` up to ``stop``, as ``terms.fingerprint`` has it; the last
    three are to work in.
    """
    chain[:] = INITIAL
    chain[0] ^= PARAMETERS
    done, size = 0, stop - start
    while True:
        n = min(BLOCK, size - done)
        words[:] = np.uint64(0)
        for place in range(n):
            byte = np.uint64(text[start + done + place])
            words[place >> 3] |= byte << np.uint64(8 * (place & 7))
        done += n
        state[:8] = chain
        state[8:] = INITIAL
        state[12] ^= np.uint64(done)
        if done == size:
            state[14] = ~state[14]
        for turn in range(12):
            for lane in range(8):
                a, b, c, d = MIXED[lane, 0], MIXED[lane, 1], MIXED[lane, 2], MIXED[lane, 3]
                va, vb, vc, vd = state[a], state[b], state[c], state[d]
                va += vb + words[ORDER[turn, 2 * lane]]
                vd ^= va
                vd = (vd >> np.uint64(32)) | (vd << np.uint64(32))
                vc += vd
                vb ^= vc
                vb = (vb >> np.uint64(24)) | (vb << np.uint64(40))
                va += vb + words[ORDER[turn, 2 * lane + 1]]
                vd ^= va
                vd = (vd >> np.uint64(16)) | (vd << np.uint64(48))
                vc += vd
                vb ^= vc
                vb = (vb >> np.uint64(63)) | (vb << np.uint64(1))
                state[a], state[b], state[c], state[d] = va, vb, vc, vd
        for place in range(8):
            chain[place] ^= state[place] ^ state[place + 8]
        if done == size:
            return chain[0]


@compiled
def blank(text, starts, stops):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Overwrite parts of texts with spaces, in place."""
    for at in range(len(starts)):
        text[starts[at] : stops[at]] = 32


@compiled
def different(prints, ends):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """The fingerprints of each text once."""
    found = np.empty_like(prints)
    n, start = 0, 0
    for row in range(len(ends)):
        own = np.sort(prints[start : ends[row]])
        for at in range(len(own)):
            if at == 0 or own[at] != own[at - 1]:
                found[n] = own[at]
                n += 1
        start = ends[row]
    return found[:n].copy()


@compiled
def count_rows(  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    chunk_numbers,
    chunk_ends,
    word_heads,
    words,
    term_heads,
    terms,
    name_heads,
    names,
    name_words,
    piece_heads,
    pieces,
    title_heads,
    title_terms,
    title_counts,
    title_flags,
    n_terms,
):
    """Count the terms of each article: those of its chunks and those that come with its title.

    Ragged tables lead from a chunk to its words, from a word to its terms, from a chunk to the
    words that are names within it and the number of each name, and from that to its pieces. Returns
    how many different terms each article has, and of each, by number, how often it is there and
    whether its title has it, ascending within an article.
    """
    n_rows = len(chunk_ends)
    lengths = np.zeros(n_rows, dtype=np.int64)
    # Room for as many as there can be, of which about half is touched.
    size = len(title_terms)
    for at in range(len(chunk_numbers)):
        chunk = chunk_numbers[at]
        for entry in range(word_heads[chunk], word_heads[chunk + 1]):
            size += term_heads[words[entry] + 1] - term_heads[words[entry]]
        for entry in range(name_heads[chunk], name_heads[chunk + 1]):
            size += piece_heads[names[entry] + 1] - piece_heads[names[entry]]
    ids = np.empty(size, dtype=np.int32)
    counts = np.empty(size, dtype=np.int32)
    flags = np.empty(size, dtype=np.bool_)
    times = np.zeros(n_terms, dtype=np.int32)
    in_title = np.zeros(n_terms, dtype=np.bool_)
    touched = np.empty(n_terms, dtype=np.int32)
    name_of = np.full(len(term_heads) - 1, -1, dtype=np.int32)
    start, n = 0, 0
    for row in range(n_rows):
        n_touched = 0
        # Of names that differ in case alone, the last is taken apart.
        for at in range(start, chunk_ends[row]):
            chunk = chunk_numbers[at]
            for entry in range(name_heads[chunk], name_heads[chunk + 1]):
                name_of[name_words[entry]] = names[entry]
        for at in range(start, chunk_ends[row]):
            chunk = chunk_numbers[at]
            for entry in range(word_heads[chunk], word_heads[chunk + 1]):
                word = words[entry]
                for each in range(term_heads[word], term_heads[word + 1]):
                    term = terms[each]
                    if times[term] == 0:
                        touched[n_touched] = term
                        n_touched += 1
                    times[term] += 1
                name = name_of[word]
                if name >= 0:
                    for each in range(piece_heads[name], piece_heads[name + 1]):
                        term = pieces[each]
                        if times[term] == 0:
                            touched[n_touched] = term
                            n_touched += 1
                        times[term] += 1
        for at in range(start, chunk_ends[row]):
            chunk = chunk_numbers[at]
            for entry in range(name_heads[chunk], name_heads[chunk + 1]):
                name_of[name_words[entry]] = -1
        for entry in range(title_heads[row], title_heads[row + 1]):
            term = title_terms[entry]
            if times[term] == 0:
                touched[n_touched] = term
                n_touched += 1
            times[term] += title_counts[entry]
            in_title[term] |= title_flags[entry]
        own = np.sort(touched[:n_touched])
        for term in own:
            ids[n], counts[n], flags[n] = term, times[term], in_title[term]
            times[term] = 0
            in_title[term] = False
            n += 1
        lengths[row] = n_touched
        start = chunk_ends[row]
    return lengths, ids[:n].copy(), counts[:n].copy(), flags[:n].copy()
