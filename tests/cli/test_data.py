"""`recinfluence data`."""

from terminal import cli, parsed, shell

from recinfluence.data.amazon import load_amazon


def test_data_summary(movielens):
    out = parsed(shell('data', 'summary', 'ml-100k', '--json'))
    assert (
        out['n_ratings'],
        out['n_items'],
        out['n_users'],
        out['max_ratings_per_item'],
        out['max_ratings_per_user'],
    ) == (100_000, 1_682, 943, 583, 737) and round(out['mean_rating'], 2) == 3.53


def test_amazon_from_a_file(reviews, tmp_path):
    amazon = ['--dataset', 'amazon-electronics', '--path', reviews]
    data = load_amazon('Electronics', reviews)
    out = parsed(cli('data', 'summary', *amazon[1:], '--json'))
    assert (out['dataset'], out['n_ratings'], out['n_users'], out['n_items']) == (
        data.name,
        len(data),
        60,
        40,
    ) and data.name.startswith('Amazon Electronics')
    assert (
        parsed(cli('data', 'fetch', *amazon[1:], '--json'))['hash'] == data.hash
        and 'verified' not in cli('data', 'fetch', *amazon[1:]).stdout
    )  # no checksum is known
    assert (
        parsed(cli('evaluate', *amazon, '--model', 'popularity', '--json'))['metrics']['ndcg'] > 0
    )
    user = f'A{7:013d}'
    out = parsed(
        cli(
            'sweep',
            *amazon,
            '--model',
            'popularity',
            '--units',
            'users',
            '--ids',
            user,
            '--store',
            tmp_path / 'a.db',
            '--jobs',
            1,
            '--json',
        )
    )
    assert out['units'] == 1
    assert parsed(cli('report', tmp_path / 'a.db', '--json'))['units'] == 1 and user in (
        tmp_path / 'a.html'
    ).read_text(encoding='utf-8')
