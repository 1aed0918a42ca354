"""What a profile takes, said before it starts; Prices are made up, the rest is arithmetic."""

import json

import pytest

from recinfluence.data import movielens as movielens_module
from recinfluence.decisions.price import Price
from recinfluence.models.svd import SVD
from recinfluence.reproduction import schedule
from recinfluence.reproduction.parameters import parameters_of, read_parameter


def test_a_profile_says_what_it_takes_before_it_starts(monkeypatch, tmp_path, capsys, movielens):
    "Two prices, half a second and two; then every notebook gets its parameters, in order."

    monkeypatch.setattr(
        schedule,
        'measure_price',
        lambda model, *a, **k: Price(
            2.0 if isinstance(model, SVD) else 0.5, 1.0, None, 'fast', 4, 16
        ),
    )
    table = schedule.forecast('full', jobs=4)
    units = 943 + 1682
    besides = {s: n for s, (_, n) in schedule.OVERHEAD.items()}
    assert (
        table.retrainings['4.1'] == units * 16
        and table.minutes['4.1'] == pytest.approx((units * 16 + besides['4.1']) * 0.5 / 4 / 60)
        and table.minutes['4.3'] == pytest.approx((units * 8 + besides['4.3']) * 2 / 4 / 60)
    )
    assert table.retrainings['trust'] == 640 * 64 and table.minutes['4.2'] == pytest.approx(
        40 + besides['4.2'] * 0.5 / 4 / 60
    )
    ran = []
    monkeypatch.setattr(
        schedule,
        'run_experiment',
        lambda name, out, **given: (
            ran.append((name, capsys.readouterr().err, given)) or tmp_path / name
        ),
    )
    schedule.reproduce_all(tmp_path, 'full', amazon='reviews', budget='5min', jobs=4)
    assert [n for n, _, _ in ran] == [
        'explainers',
        'movielens_ncf',
        'amazon_ncf',
        'movielens_svd',
        'trust',
    ] and f'about {table.minutes.sum():.0f} minutes on 4 processes' in ran[0][1]
    given = {n: g for n, _, g in ran}
    asked = {n: g.pop('asked') for n, g in given.items()}
    assert (
        given['movielens_ncf']['replicates'] == 16
        and given['amazon_ncf'] == {'jobs': 4, 'budget': '5min', 'path': 'reviews', 'sample': None}
        and given['movielens_svd']['replicates'] == 8
    )
    assert (
        {a['profile'] for a in asked.values()} == {'full'}
        and asked['movielens_ncf']['replicates'] == 16
        and asked['movielens_svd']['price'] == 2
        and json.loads(json.dumps(asked)) == asked
    )
    ran.clear()
    schedule.reproduce_all(tmp_path, 'full', jobs=2, engine='fast')
    for name, _, parameters in ran:  # each notebook has all that it is given, and reads it
        known = parameters_of(name)
        for parameter, value in parameters.items():
            if parameter != 'asked':
                read_parameter(known[parameter], value)
        assert ('engine' in parameters) == ('engine' in known) and parameters['jobs'] == 2
    with pytest.raises(ValueError, match='Did you mean engine'):
        schedule.reproduce_all(tmp_path, engin='fast')
    ran.clear()
    schedule.reproduce_all(tmp_path, sections=['4.3'])
    assert [n for n, _, _ in ran] == ['movielens_svd']
    ran.clear()
    schedule.reproduce_all(tmp_path, 'full', ['4.1'], jobs=4)
    assert ran[0][2]['replicates'] == 16
    for wrong in (dict(profile='fast'), dict(sections=['5.1'])):
        with pytest.raises(ValueError, match='there are|choose one of'):
            schedule.reproduce_all(tmp_path, **wrong)


@pytest.mark.parametrize('cost', [0.02, 0.08, 0.1, 0.12, 0.14, 0.16, 0.18, 3.0])
def test_the_default_profile_takes_at_most_forty_minutes_where_it_can(
    monkeypatch, tmp_path, movielens, cost
):
    "Seeds of section 4.1 are as many as fit; a folder goes on with what it was begun with."

    now = [cost]
    monkeypatch.setattr(
        schedule, 'measure_price', lambda model, *a, **k: Price(now[0], 1.0, None, 'fast', 2, 16)
    )
    table = schedule.forecast('default', jobs=2)
    replicates = table.replicates['4.1']

    def total(number):
        return table.minutes.sum() + (number - replicates) * 2625 * cost / 2 / 60

    assert (
        replicates == next((r for r in (4, 3) if total(r) <= 40), 2)
        and {0.02: 4, 3.0: 2}.get(cost, replicates) == replicates
        and table.retrainings['4.1'] == 2625 * replicates
    )
    ran = {}
    monkeypatch.setattr(
        schedule,
        'run_experiment',
        lambda name, out, **given: ran.update({name: given}) or tmp_path / name,
    )
    schedule.reproduce_all(tmp_path, jobs=2)
    assert ran['movielens_ncf']['replicates'] == replicates
    (tmp_path / 'provenance').mkdir()
    (tmp_path / 'provenance/run.json').write_text(
        json.dumps({'4.1': ran['movielens_ncf']['asked']})
    )
    now[0] = 0.02
    schedule.reproduce_all(tmp_path, jobs=2)
    assert ran['movielens_ncf']['replicates'] == replicates
    schedule.reproduce_all(tmp_path, sections=['4.1'], jobs=2)
    assert ran['movielens_ncf']['replicates'] == replicates  # a section alone, too


def test_section_4_2_needs_no_movielens(monkeypatch, tmp_path):

    monkeypatch.setattr(
        movielens_module, 'load_movielens', lambda *a, **k: pytest.fail('MovieLens was asked for')
    )
    ran = {}
    monkeypatch.setattr(
        schedule,
        'run_experiment',
        lambda name, out, **given: ran.update({name: given}) or tmp_path / name,
    )
    schedule.reproduce_all(tmp_path, sections=['4.2'], amazon='reviews', budget='3min')
    assert list(ran) == ['amazon_ncf'] and ran['amazon_ncf']['path'] == 'reviews'
