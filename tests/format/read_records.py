#!/usr/bin/env python3
"""Reads records of Tagstone's log. Written against docs/format.md alone, with nothing but the standard library.

usage: read_records.py FILE...

Each file holds the bytes of one record; together, in the order given, they are a log from its first record. Prints the
records as one JSON array. Exits with 1 and a message on stderr if any byte, or the chain, is not as specified.
"""

import json
import re
import sys
import uuid

from blake3_plain import blake3

NEWEST_FORMAT = 1
RECORD_BYTES = 73_728


class Refused(Exception):
    """The bytes are not what docs/format.md demands."""


class Reader:
    """A record's bytes and the place that was read to."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, count, what):
        if count > len(self.data) - self.at:
            raise Refused(f"{what} at byte {self.at} needs {count} bytes, but only {len(self.data) - self.at} remain")
        self.at += count
        return self.data[self.at - count : self.at]


# Simple values. Each function takes a Reader and returns what json.dumps can print.


def integer(size, signed=False):
    return lambda reader: int.from_bytes(reader.take(size, "an integer"), "little", signed=signed)


u8, u16, u32, u64, i64 = integer(1), integer(2), integer(4), integer(8), integer(8, signed=True)


def flag(reader):
    value = u8(reader)
    if value > 1:
        raise Refused(f"a bool or option at byte {reader.at - 1} is {value}")
    return value == 1


def byte_string(reader):
    return reader.take(u64(reader), "a byte string")


def text(reader):
    start = reader.at
    try:
        return byte_string(reader).decode("utf-8", "strict")
    except UnicodeDecodeError as error:
        raise Refused(f"the text at byte {start} is not UTF-8") from error


def matching(what, pattern, longest):
    def read(reader):
        value = text(reader)
        if len(value.encode()) > longest or not re.fullmatch(pattern, value, re.ASCII):
            raise Refused(f"{value!r} is not a {what}")
        return value

    return read


COMPONENT = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
TOKEN = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*"
repository = matching("repository name", f"{COMPONENT}(/{COMPONENT})*", 255)
tag = matching("tag", r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}", 128)
media_type = matching("media type", f"{TOKEN}/{TOKEN}", 255)


def hash32(reader):
    return list(reader.take(32, "a hash"))


def identifier(reader):
    return str(uuid.UUID(bytes=bytes(reader.take(16, "an id"))))


ALGORITHMS = {32: "sha256", 64: "sha512"}


def digest(reader):
    raw = byte_string(reader)
    if len(raw) not in ALGORITHMS:
        raise Refused(f"a digest has {len(raw)} bytes")
    return f"{ALGORITHMS[len(raw)]}:{raw.hex()}"


def references(reader):
    digests = []
    for size, algorithm in ALGORITHMS.items():
        packed = byte_string(reader)
        if len(packed) % size:
            raise Refused(f"{len(packed)} bytes of {algorithm} references end inside a digest")
        hashes = [packed[start : start + size] for start in range(0, len(packed), size)]
        if any(a >= b for a, b in zip(hashes, hashes[1:])):
            raise Refused("references are not strictly increasing")
        digests += [f"{algorithm}:{raw.hex()}" for raw in hashes]
    return digests


# Compound values.


def optional(inner):
    return lambda reader: inner(reader) if flag(reader) else None


def listed(inner):
    def read(reader):
        count = u64(reader)
        if count > len(reader.data) - reader.at:  # every element has at least one byte
            raise Refused(f"a list at byte {reader.at - 8} claims {count} elements")
        return [inner(reader) for _ in range(count)]

    return read


def struct(**fields):
    return lambda reader: {name: field(reader) for name, field in fields.items()}


def enum(what, *variants):
    """Variants by number: a name, or a name with the reader of what follows."""

    def read(reader):
        number = u32(reader)
        if number >= len(variants):
            raise Refused(f"{what} number {number} at byte {reader.at - 4} is unknown")
        variant = variants[number]
        return variant if isinstance(variant, str) else {variant[0]: variant[1](reader)}

    return read


actor = struct(kind=enum("ActorKind", "user", "anonymous", "system", "token"), name=text)
origin = struct(request_id=text, address=text, user_agent=text)
ended_tag = struct(tag=tag, was=digest)
cause = enum("DeletionCause", "request", ("prune", struct(policy=identifier, run=identifier)), "expiry", "purge")
scope = enum("Scope", "registry", ("namespace", repository), ("repository", repository))
pattern = struct(regex=text, matches=flag)
age = struct(count=u32, unit=enum("AgeUnit", "seconds", "minutes", "hours", "days", "weeks", "years"))
prune_method = enum("PruneMethod", ("number_of_tags", u64), ("creation_date", age))
rule = enum(
    "Rule",
    ("immutability", struct(pattern=pattern, include_referrer_tags=flag)),
    ("prune", struct(method=prune_method, pattern=optional(pattern))),
)
removed = struct(digest=digest, size=u64, content=enum("ContentKind", "manifest", "blob"))
token_scope = struct(repositories=text, actions=listed(enum("Action", "pull", "push", "delete")))
attempt = struct(
    first=i64,
    last=i64,
    actor=actor,
    address=text,
    repository=repository,
    tag=optional(tag),
    digest=optional(digest),
    reason=text,
    count=u64,
)
event = enum(
    "Event",
    ("log_started", struct(log=identifier)),
    ("server_started", struct(version=text)),
    ("blob_linked", struct(repository=repository, digest=digest, size=u64, mounted_from=optional(repository))),
    ("blob_unlinked", struct(repository=repository, digest=digest)),
    (
        "manifest_pushed",
        struct(
            repository=repository,
            digest=digest,
            size=u64,
            media_type=media_type,
            artifact_type=optional(media_type),
            subject=optional(digest),
            references=references,
        ),
    ),
    ("manifest_deleted", struct(repository=repository, digest=digest)),
    ("tag_moved", struct(repository=repository, tag=tag, **{"from": optional(digest)}, to=digest)),
    ("tags_deleted", struct(repository=repository, tags=listed(ended_tag), cause=cause)),
    ("tag_erased", struct(repository=repository, tag=tag, was=digest, reason=text)),
    ("tag_locked", struct(repository=repository, tag=tag)),
    ("tag_unlocked", struct(repository=repository, tag=tag)),
    ("tag_expiry_set", struct(repository=repository, tag=tag, at=optional(i64))),
    ("policy_drafted", struct(policy=identifier, scope=scope, rule=rule)),
    ("policy_activated", struct(policy=identifier, scope=scope, rule=rule)),
    ("policy_changed", struct(policy=identifier, rule=rule)),
    ("policy_retired", struct(policy=identifier)),
    ("draft_removed", struct(policy=identifier)),
    ("repository_deleted", struct(repository=repository)),
    ("content_purged", struct(repository=repository, contents=listed(removed), reason=text)),
    ("content_collected", struct(contents=listed(removed))),
    (
        "token_issued",
        struct(
            token=identifier,
            subject=text,
            scopes=listed(token_scope),
            secret_hash=hash32,
            expires=optional(i64),
            label=text,
        ),
    ),
    ("token_revoked", struct(token=identifier)),
    ("attempts_refused", struct(since=i64, until=i64, entries=listed(attempt), others=u64)),
)
record = struct(format=u16, seq=u64, time=i64, prev=hash32, actor=actor, origin=origin, events=listed(event))


def decode(data):
    """The record that the bytes hold."""
    if len(data) > RECORD_BYTES:
        raise Refused(f"the record has {len(data)} bytes; at most {RECORD_BYTES} are allowed")
    found = u16(Reader(data))
    if not 1 <= found <= NEWEST_FORMAT:
        raise Refused(f"the record has format version {found}; this program reads 1 to {NEWEST_FORMAT}")
    reader = Reader(data)
    value = record(reader)
    if reader.at != len(data):
        raise Refused(f"{len(data) - reader.at} bytes follow the record")
    return value


def main(paths):
    records, prev = [], bytes(32)
    for path in paths:
        try:
            with open(path, "rb") as file:
                data = file.read()
            value = decode(data)
            if value["seq"] != len(records) + 1:
                raise Refused(f"record {len(records) + 1} was expected, but record {value['seq']} stands there")
            if bytes(value["prev"]) != prev:
                raise Refused("`prev` is not the hash of the record before")
            if records and value["time"] <= records[-1]["time"]:
                raise Refused("its time is not later than that of the record before")
        except (Refused, OSError) as error:
            print(f"{path}: {error}", file=sys.stderr)
            return 1
        records.append(value)
        prev = blake3(data)
    json.dump(records, sys.stdout, indent=1, ensure_ascii=False)
    print()
    return 0


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")
    sys.stderr.reconfigure(encoding="utf-8", errors="backslashreplace")
    sys.exit(main(sys.argv[1:]))
