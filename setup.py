"""Everything is said in settings.ini; this file only hands it to setuptools (nbdev itself is not needed to install)."""
from configparser import ConfigParser
from pathlib import Path
from setuptools import setup, find_packages

parser = ConfigParser(delimiters=['='], interpolation=None)
parser.read('settings.ini', encoding='utf-8')
cfg = parser['DEFAULT']

setup(
    name=cfg['lib_name'], version=cfg['version'], description=cfg['description'], keywords=cfg['keywords'],
    long_description=Path('README.md').read_text(encoding='utf-8'), long_description_content_type='text/markdown',
    author=cfg['author'], author_email=cfg['author_email'], license='Apache-2.0', python_requires='>=' + cfg['min_python'],
    install_requires=cfg['requirements'].split(),
    extras_require={k.removeprefix('extra_'): v.split() for k, v in cfg.items() if k.startswith('extra_')},
    # The experiment notebooks and the paper's tables travel with the package, so that `recinfluence reproduce` works once installed.
    packages=find_packages(include=['recinfluence', 'recinfluence.*']) + ['recinfluence.experiments', 'recinfluence.paper'],
    package_dir={'recinfluence.experiments': 'nbs/experiments', 'recinfluence.paper': 'data/paper'},
    package_data={'recinfluence.experiments': ['*.ipynb'], 'recinfluence.paper': ['*.csv', 'README.md']},
    entry_points={'console_scripts': cfg['console_scripts'].split()},
    classifiers=['Development Status :: 3 - Alpha', 'Intended Audience :: Science/Research', 'Programming Language :: Python :: 3',
                 'License :: OSI Approved :: Apache Software License'],
    zip_safe=False,
)
