"""MovieLens as GroupLens publishes it, in each of its forms, made up by tests."""

import csv
import hashlib
import io
import zipfile
from dataclasses import replace

from recinfluence.data.grouplens import VARIANTS

FILMS = [
    (1, 'Toy Story (1995)', 'Adventure|Animation|Comedy'),
    (11, 'American President, The (1995)', 'Comedy|Drama'),
    (73, 'Misérables, Les (1995)', 'Drama|War'),
    (1203, '"12" Angry Men (1957)', 'Drama'),
    (5, 'Nobody knows when', '(no genres listed)'),
    (8, 'NA', "Children's"),
    (9, 'A series (2006–2011)', 'Crime'),
]
PEOPLE = [(1, 'F', 1, 10, '48067'), (2, 'M', 56, 16, '02108-1234'), (3, 'M', 25, 20, '70072')]
FORMS = [name for name in VARIANTS if name != '100k']


def ratings_text(name, rows, crlf=False, end=True):
    "Rows (user, film, rating, time) in the form of a variant, as bytes."
    variant, newline = VARIANTS[name], '\r\n' if crlf else '\n'
    lines = ['userId,movieId,rating,timestamp'] if variant.separator == ',' else []
    for user, film, rating, time in rows:
        shown = f'{rating:g}' if variant.separator == '::' else f'{rating:.1f}'
        lines.append(variant.separator.join(map(str, (user, film, shown, time))))
    return (newline.join(lines) + newline * end).encode()


def films_text(name, films=FILMS, crlf=False):
    "Films in the form of a variant, as bytes; without what it cannot write."
    newline = '\r\n' if crlf else '\n'
    if VARIANTS[name].separator == ',':
        out = io.StringIO(newline='')
        writer = csv.writer(out, lineterminator=newline)
        writer.writerows([('movieId', 'title', 'genres'), *films])
        return out.getvalue().encode()
    text = ''.join('::'.join(map(str, film)) + newline for film in films)
    return text.encode('latin-1', 'replace') if name == '1m' else text.encode()


def write_movielens(folder, name, rows, monkeypatch, packed=False, leave_out=(), **form):
    "A made-up data set, taken for the published one; returns its folder or archive."
    variant = VARIANTS[name]
    texts = dict(
        zip(
            variant.files,
            (
                ratings_text(name, rows, **form),
                films_text(name, crlf=form.get('crlf', False)),
                ''.join('::'.join(map(str, who)) + '\n' for who in PEOPLE).encode(),
            ),
        )
    )
    texts = {file: text for file, text in texts.items() if file not in leave_out}
    md5 = None
    if packed:
        path = folder / variant.archive
        path.write_bytes(zipped({f'{variant.folder}/{f}': text for f, text in texts.items()}))
        md5 = variant.md5 and digest(path.read_bytes())
    else:
        path = folder / variant.folder
        path.mkdir(parents=True, exist_ok=True)
        for file, text in texts.items():
            (path / file).write_bytes(text)
    monkeypatch.setitem(VARIANTS, name, replace(variant, ratings=len(rows), md5=md5))
    return path


def zipped(members):
    "An archive of these members, as bytes."
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return out.getvalue()


def digest(content):
    "The MD5, as GroupLens publishes it."
    return hashlib.md5(content).hexdigest()
