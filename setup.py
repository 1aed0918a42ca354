"""Everything is said in settings.ini.

This file only hands it to setuptools (nbdev itself is not needed to install).
"""

from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup

parser = ConfigParser(delimiters=['='], interpolation=None)
parser.read('settings.ini', encoding='utf-8')
cfg = parser['DEFAULT']

# The experiment notebooks, the paper's tables and the results travel with the package, so that all
# commands work once it is installed.
carried = {
    f'recinfluence.{Path(folder).name}': folder
    for folder in ('nbs/experiments', 'data/paper', 'data/shipped')
}

setup(
    name=cfg['lib_name'],
    version=cfg['version'],
    description=cfg['description'],
    keywords=cfg['keywords'],
    long_description=Path('README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    author=cfg['author'],
    author_email=cfg['author_email'],
    license='Apache-2.0',
    python_requires='>=' + cfg['min_python'],
    install_requires=cfg['requirements'].split(),
    extras_require={
        k.removeprefix('extra_'): v.split() for k, v in cfg.items() if k.startswith('extra_')
    },
    packages=find_packages(include=['recinfluence', 'recinfluence.*']) + list(carried),
    package_dir=carried,
    package_data={name: ['*.ipynb', '*.csv', '*.parquet', 'README.md'] for name in carried},
    entry_points={'console_scripts': cfg['console_scripts'].split()},
    classifiers=[
        'Development Status :: 3 - Alpha',
        'Intended Audience :: Science/Research',
        'Programming Language :: Python :: 3',
        'License :: OSI Approved :: Apache Software License',
    ],
    zip_safe=False,
)
