"""Packs, indexes and pushes charts with Helm's own SDK.

charts.py pack DIRECTORY NAME VERSION TEXT   writes DIRECTORY/NAME-VERSION.tgz
charts.py index DIRECTORY                    writes DIRECTORY/index.yaml over all archives in it
charts.py push ARCHIVE oci://HOST/PATH       pushes an archive to a registry without TLS
"""

import os
import sys
import tempfile

import helm_python as helm
from helm_python import registry


def pack(directory, name, version, text):
    with tempfile.TemporaryDirectory() as work:
        helm.Chart.create(name, work)
        chart = os.path.join(work, name)
        with open(os.path.join(chart, "values.yaml"), "a", encoding="utf-8") as values:
            values.write(f"\n# {text}\n")
        helm.package(chart, destination=directory, version=version)


def index(directory):
    registry.repo_index_generate(directory)


def push(archive, remote):
    registry.push(archive, remote, plain_http=True)


{"pack": pack, "index": index, "push": push}[sys.argv[1]](*sys.argv[2:])
