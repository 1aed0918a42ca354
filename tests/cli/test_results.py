"""`recinfluence sweep`, `show` and `report`: what they say, and resuming."""

from terminal import cli, parsed


def test_sweep_show_and_resume(own, tmp_path):
    sweep = [
        'sweep',
        '--dataset',
        own,
        '--model',
        'ncf',
        '--units',
        'users',
        '--ids',
        '1,2,5-7',
        '--replicates',
        2,
        '--seed',
        3,
        '--store',
        tmp_path / 's.db',
        '--jobs',
        1,
        '--engine',
        'reference',
        '--k',
        3,
    ]
    out = parsed(cli(*sweep, '--json'))
    assert out['units'] == 5 and out['seeds'] == [3, 4] and out['failed'] == []
    assert parsed(cli(*sweep, '--json'))['content_hash'] == out['content_hash']
    shown = parsed(cli('show', tmp_path / 's.db', '--metric', 'ndcg', '--top', 3, '--json'))
    assert (
        len(shown['rows']) == 3
        and {'unit', 'influence', 'n_ratings', 'mean_rating', 'std_rating'} <= set(shown['rows'][0])
        and shown['rows'][0]['influence'] >= shown['rows'][1]['influence']
    )
    assert {r['unit'] for r in shown['rows']} <= {1, 2, 5, 6, 7}
    worst = parsed(cli('show', tmp_path / 's.db', '--bottom', 1, '--json'))['rows'][0]
    assert worst['influence'] == min(
        r['influence']
        for r in parsed(cli('show', tmp_path / 's.db', '--top', 99, '--json'))['rows']
    )


def test_one_replicate_has_no_error_bar_and_json_says_null(own, tmp_path):
    parsed(
        cli(
            'sweep',
            '--dataset',
            own,
            '--model',
            'popularity',
            '--units',
            'items',
            '--ids',
            '1',
            '--store',
            tmp_path / 's.db',
            '--jobs',
            1,
            '--json',
        )
    )
    shown = parsed(cli('show', tmp_path / 's.db', '--json'))
    assert shown['rows'][0]['se'] is None and 'error bar' in shown['caution']


def test_report_lies_beside_the_store(own, tmp_path):
    parsed(
        cli(
            'sweep',
            '--dataset',
            own,
            '--model',
            'popularity',
            '--units',
            'users',
            '--ids',
            '1-5',
            '--replicates',
            2,
            '--k',
            3,
            '--metrics',
            'gini',
            '--store',
            tmp_path / 's.db',
            '--jobs',
            1,
            '--json',
        )
    )
    out = parsed(cli('report', tmp_path / 's.db', '--json'))
    page = tmp_path / 's.html'
    text = page.read_text(encoding='utf-8')
    shown = parsed(cli('show', tmp_path / 's.db', '--json'))
    assert (
        (out['report'], out['metric'], out['units'], out['failed']) == (str(page), 'map', 5, 0)
        and out['caution'] == shown['caution']
        and out['reliability'] == shown['reliability']
    )
    assert (
        all(f'{r["label"]}</th>' in text for r in shown['rows'])
        and 'Influence on MAP, Popularity on own' in text
    )
    done = cli('report', tmp_path / 's.db', '--metric', 'gini', '--out', tmp_path / 'new/page.html')
    assert (
        done.returncode == 0
        and str(tmp_path / 'new/page.html') in done.stdout
        and 'Influence on Gini' in (tmp_path / 'new/page.html').read_text(encoding='utf-8')
        and page.read_text(encoding='utf-8') == text
    )
