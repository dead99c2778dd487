"""Pushes files as one artifact with the Python client oras, pulls them back, and compares them byte for byte.

Usage: oras_roundtrip.py HOST TARGET DIRECTORY; prints the digest that the registry gave to the manifest.
"""

import os
import sys

import oras.client

host, target, directory = sys.argv[1:]
client = oras.client.OrasClient(hostname=host, insecure=True)

sources = {"text.txt": b"an artifact\n", "data.bin": bytes(range(256)) * 2000, "empty": b""}
pushed = os.path.join(directory, "pushed")
pulled = os.path.join(directory, "pulled")
os.mkdir(pushed)
os.chdir(pushed)
for name, contents in sources.items():
    with open(name, "wb") as file:
        file.write(contents)

answer = client.push(target=target, files=sorted(sources), manifest_annotations={"org.example.note": "kept"})
if answer.status_code != 201:
    sys.exit(f"push of {target}: {answer.status_code} {answer.text}")

files = client.pull(target=target, outdir=pulled)
if sorted(os.path.basename(file) for file in files) != sorted(sources):
    sys.exit(f"pulled {files} instead of {sorted(sources)}")
for name, contents in sources.items():
    with open(os.path.join(pulled, name), "rb") as file:
        if file.read() != contents:
            sys.exit(f"{name} differs from what was pushed")

manifest = client.get_manifest(target)
if manifest["annotations"]["org.example.note"] != "kept":
    sys.exit(f"the annotation is lost: {manifest}")
tags = client.get_tags(target)
if tags != ["v1"]:
    sys.exit(f"tags are {tags}")
print(answer.headers["Docker-Content-Digest"])
