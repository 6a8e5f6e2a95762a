"""Checks a prodpin ledger from its files alone, sharing no code with prodpin.

    verify.py LEDGER                            everything: links, signatures, batches, roots, tiles, index, views, reports
    verify.py LEDGER --key NAME+ID+KEY          the same, and that key must have signed
    verify.py LEDGER --since FILE               the checkpoint in FILE is an earlier one of this log
    verify.py LEDGER --since SEQUENCE:ROOT      the same, of a commit as reports name it
    verify.py LEDGER --anchor FOLDER            every checkpoint in FOLDER is this log's own
    verify.py --proof FILE [--key KEY]          an inclusion proof, as `prodpin verify --entry N` prints it
    verify.py --consistency FILE                a consistency proof, as `prodpin verify --since … --json` prints it

Written from the formats: RFC 6962 for the tree, C2SP tlog-checkpoint, tlog-tiles and signed-note. Exit status 0 if all
holds; 1, and what is wrong, if not. zstd is no part of Python before 3.14.
"""

import argparse
import base64
import hashlib
import json
import pathlib
import re
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

try:
    from compression import zstd
    ZstdError = zstd.ZstdError
except ImportError:
    import zstandard as zstd
    ZstdError = zstd.ZstdError

CAP = 64 << 20


class Wrong(Exception):
    """Something is not what it should be."""


def check(holds, what):
    if not holds:
        raise Wrong(what)


def decompress(data, what):
    try:
        if zstd.__name__ == "zstandard":
            reader = zstd.ZstdDecompressor().stream_reader(data)
            plain = reader.read(CAP + 1)
        else:
            plain = zstd.decompress(data)
    except ZstdError as error:
        raise Wrong(f"{what} does not decompress: {error}") from None
    check(len(plain) <= CAP, f"{what} is too large")
    return plain


def sha256(data):
    return hashlib.sha256(data).digest()


def leaf_hash(entry):
    return sha256(b"\x00" + entry)


def node_hash(left, right):
    return sha256(b"\x01" + left + right)


def root_of(hashes):
    """RFC 6962 section 2.1, over leaf hashes."""
    if not hashes:
        return sha256(b"")
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << ((len(hashes) - 1).bit_length() - 1)
    return node_hash(root_of(hashes[:split]), root_of(hashes[split:]))


def inclusion_root(index, size, leaf, path):
    """RFC 9162 section 2.1.3.2."""
    check(0 <= index < size, "there is no such entry in a tree of that size")
    fn, sn, root = index, size - 1, leaf
    for sibling in path:
        check(sn != 0, "the inclusion proof is too long")
        if fn & 1 or fn == sn:
            root = node_hash(sibling, root)
            while not fn & 1 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            root = node_hash(root, sibling)
        fn, sn = fn >> 1, sn >> 1
    check(sn == 0, "the inclusion proof is too short")
    return root


def check_consistency(first, second, first_root, second_root, path):
    """RFC 9162 section 2.1.4.2."""
    check(0 < first <= second, "the sizes are in the wrong order")
    if first == second:
        check(not path and first_root == second_root, "same size, other root")
        return
    check(path, "the consistency proof is empty")
    path = list(path)
    if first & (first - 1) == 0:
        path.insert(0, first_root)
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for sibling in path[1:]:
        check(sn != 0, "the consistency proof is too long")
        if fn & 1 or fn == sn:
            fr, sr = node_hash(sibling, fr), node_hash(sibling, sr)
            while not fn & 1 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, sibling)
        fn, sn = fn >> 1, sn >> 1
    check(sn == 0, "the consistency proof is too short")
    check(fr == first_root, "the consistency proof does not lead from the earlier root")
    check(sr == second_root, "the consistency proof does not lead to the later root")


def unbase64(text, length, what):
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise Wrong(f"{what} is not base64") from None
    check(length is None or len(data) == length, f"{what} has the wrong length")
    check(base64.b64encode(data).decode() == text, f"{what} is spelled in an unusual way")
    return data


def is_torn(data):
    """What a cut or zero-filled write leaves behind: nobody was told that it had finished."""
    return not data.endswith(b"\n")


class Key:
    def __init__(self, text):
        parts = text.split("+", 2)
        check(len(parts) == 3, f"{text!r} is no verifier key")
        self.text, self.name, key_id = text, parts[0], parts[1]
        data = unbase64(parts[2], 33, "a verifier key")
        check(data[0] == 1, "only Ed25519 keys sign logs")
        self.id = sha256(self.name.encode() + b"\n" + data)[:4]
        check(self.id.hex() == key_id, f"{text!r}: the id is not that of the key")
        self.public = Ed25519PublicKey.from_public_bytes(data[1:])

    def check(self, note, what):
        for name, signature in note.signatures:
            if name == self.name and signature[:4] == self.id:
                try:
                    self.public.verify(signature[4:], note.body)
                except InvalidSignature:
                    raise Wrong(f"{what}: the signature by {self.id.hex()} is not over this text") from None
                return
        raise Wrong(f"{what} is not signed by {self.text}")


class Checkpoint:
    def __init__(self, data, what):
        body, blank, signatures = data.partition(b"\n\n")
        self.body = body + b"\n" if blank else data
        try:
            lines = self.body.decode().split("\n")
            self.signatures = [self.signature(line, what) for line in signatures.decode().split("\n")[:-1]]
        except UnicodeDecodeError:
            raise Wrong(f"{what} is no text") from None
        check(lines.pop() == "" and len(lines) >= 6, f"{what} is no checkpoint")
        check(not blank or (self.signatures and signatures.endswith(b"\n")), f"{what} ends before its signatures do")
        self.what, self.origin, size = what, lines[0], lines[1]
        check(re.fullmatch(r"[1-9][0-9]*", size), f"{what}: no size")
        self.size, self.root = int(size), unbase64(lines[2], 32, f"{what}: the root")
        extensions = {}
        for line in lines[3:]:
            name, _, value = line.partition(" ")
            check(name not in extensions, f"{what} says {name} twice")
            extensions[name] = value
        check(extensions.get("schema") in ("1", "2", "3"), f"{what}: unknown schema")
        self.schema, self.number, self.state = int(extensions["schema"]), None, None
        if self.schema >= 3:
            self.stated(extensions)
        self.batch, self.previous = extensions.get("batch"), extensions.get("previous")
        check(self.batch and re.fullmatch(r"[0-9a-f]{64}", self.batch), f"{what}: no batch")
        self.edge = [unbase64(text, 32, f"{what}: the edge") for text in extensions.get("edge", "").split(" ")]
        self.key, self.since, self.lost = None, None, None
        if "lost" in extensions:
            key, _, at = extensions["lost"].rpartition(" ")
            check(at.isdigit(), f"{what}: no commit that gave a key up")
            self.lost = Key(key).text, int(at)
        if "key" in extensions:
            key, _, since = extensions["key"].rpartition(" ")
            self.key, self.since = Key(key), int(since) if since.isdigit() else None
            check(self.key.name == self.origin, f"{what}: the key is another log's")
            self.key.check(self, what)

    def stated(self, extensions):
        """Since schema 3: the checkpoint's own number, how the batch is stored, and what follows from the log."""
        number, form, state = (extensions.get(name) or "" for name in ("commit", "form", "state"))
        check(re.fullmatch(r"[1-9][0-9]*", number), f"{self.what}: no number")
        check(re.fullmatch(r"lines [1-9][0-9]*", form), f"{self.what}: a batch that is stored in an unknown way")
        check(re.fullmatch(r"[0-9]+ [0-9]+ [0-9a-f]{64}", state), f"{self.what}: no state")
        self.number, self.batch_bytes, self.state = int(number), int(form.split()[1]), state

    @staticmethod
    def signature(line, what):
        check(line.startswith("— "), f"{what}: a line after the blank one is no signature")
        name, _, text = line[2:].partition(" ")
        return name, unbase64(text, None, f"{what}: a signature")


class Ledger:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.leaves, self.commits, self.keys, self.lost, self.head, self.reports = [], {}, [], [], None, {}
        self.strays = []
        # Each repository's latest commit and what its view must be as of that.
        self.touches, self.views = {}, {}

    def read(self, name):
        try:
            return (self.folder / name).read_bytes()
        except OSError:
            raise Wrong(f"{name} is missing") from None

    def walk(self):
        """From commit to commit. What is no next commit is passed over; a commit that follows another one than the last
        here shows that what was passed over is damaged or missing."""
        folder = self.folder / "checkpoint"
        numbers = sorted(int(file.name) for file in folder.iterdir() if re.fullmatch(r"[0-9]{20}", file.name))
        before, passed, expected = None, [], 1
        for number in numbers:
            standing, what = self.standing(number, before)
            if standing == "next":
                self.strays += [number for number, _, _ in passed]
                before, passed = self.commit(number, before), []
            elif standing == "displaced":
                check(not passed, passed and f"{passed[0][1]}; {what}")
                check(number == expected, f"checkpoint/{expected:020} is missing among {numbers}")
                raise Wrong(what)
            elif standing != "torn":
                passed.append((number, what, standing == "doubtful"))
            expected = number + 1
        for number, what, doubtful in passed:
            check(not doubtful, what)
            check(not self.continues(number), f"{what}, and the one after it continues it: another history")
        self.strays += [number for number, _, _ in passed]
        self.head = before
        check(self.head, "the log is empty")

    def continues(self, number):
        """Whether the next number holds a checkpoint that names this one as the one before."""
        try:
            names = [f"checkpoint/{number + step:020}" for step in (0, 1)]
            one, other = (Checkpoint(self.read(name), name) for name in names)
        except Wrong:
            return False
        return other.previous == sha256(one.body).hex()

    def standing(self, number, before):
        """What stands under a number, seen from the last commit before it."""
        name = f"checkpoint/{number:020}"
        path = self.folder / name
        if not path.is_file() or path.stat().st_size > 64 << 10:
            return "foreign", f"{name} is no checkpoint"
        data = path.read_bytes()
        # One that was whole once is missed by the one after it, or by the tiles.
        if is_torn(data):
            return "torn", f"{name} was never finished"
        try:
            now = Checkpoint(data, name)
            check(now.number in (None, number), f"{name} is the checkpoint of another commit")
        except Wrong as wrong:
            return ("doubtful" if self.nearly(data, number, before) else "foreign"), str(wrong)
        if before is None:
            return ("displaced" if now.previous else "next"), f"{name} does not follow the checkpoint before it"
        if now.origin != before.origin:
            return "foreign", f"{name} belongs to another log"
        if now.previous == sha256(before.body).hex():
            return self.linked(number, before, now)
        what = f"{name} does not follow the checkpoint before it"
        if before.key is None:
            own = now.size > before.size and number > before.place + 1
        else:
            own = self.signed_by(before.key, now) and (now.number is not None or now.size > before.size)
        return ("displaced" if own else "foreign"), what

    def linked(self, number, before, now):
        """A checkpoint that names the last commit as the one before: whether its key may sign it."""
        try:
            kept = self.keys, self.lost
            self.keys, self.lost = list(self.keys), list(self.lost)
            self.succession(number, before.key, before, now)
        except Wrong as wrong:
            if before.key is None:
                return "doubtful", str(wrong)
            return ("displaced" if self.signed_by(before.key, now) else "foreign"), str(wrong)
        finally:
            self.keys, self.lost = kept
        return "next", None

    @staticmethod
    def signed_by(key, note):
        try:
            key.check(note, "")
        except Wrong:
            return False
        return True

    def nearly(self, data, number, before):
        """Whether what does not read as a checkpoint looks like the next one with a fault in it."""
        if before is None:
            return any((self.folder / "batch").glob("*"))
        lines = data.partition(b"\n\n")[0].decode(errors="replace").split("\n")
        size = lines[1] if len(lines) > 1 else ""
        agree = [
            lines[0] == before.origin,
            size.isdigit() and int(size) > before.size,
            f"previous {sha256(before.body).hex()}" in lines,
            f"commit {number}" in lines,
        ]
        return sum(agree) >= 2 + (before.number is not None)

    def commit(self, number, before):
        name = f"checkpoint/{number:020}"
        now = Checkpoint(self.read(name), name)
        check(before is None or now.origin == before.origin, f"{name} belongs to another log")
        expected = sha256(before.body).hex() if before else None
        check(now.previous == expected, f"{name} does not follow the checkpoint before it")
        self.succession(number, before.key if before else None, before, now)
        check(now.number in (None, number), f"{name} is the checkpoint of another commit")
        lines = decompress(self.read(f"batch/{now.batch}"), f"batch/{now.batch}")
        check(sha256(lines).hex() == now.batch, f"batch/{now.batch} does not hash to its name")
        check(lines.endswith(b"\n"), f"batch/{now.batch} ends in the middle of a line")
        check(now.number is None or len(lines) == now.batch_bytes, f"{name}: its batch has another length")
        links = {}
        for line in lines[:-1].split(b"\n"):
            self.leaves.append(leaf_hash(line))
            entry = json.loads(line)
            if "repository" in entry:
                links[self.key(entry["repository"])] = entry.get("link")
            if entry["event"]["type"] == "run":
                self.reports[entry["event"]["report"]] = entry["run"]
        self.follow(name, number, now, links)
        check(len(self.leaves) == now.size, f"{name}: another number of entries")
        check(self.edge() == now.edge, f"{name}: its edge is not that of its entries")
        root = now.edge[-1]
        for left in reversed(now.edge[:-1]):
            root = node_hash(left, root)
        check(root == now.root, f"{name}: its root is not that of its entries")
        now.place = number
        self.commits[number] = now
        return now

    @staticmethod
    def key(repository):
        return repository["source"], repository["name"]

    def follow(self, name, number, now, links):
        """Each repository's last line in a commit names the commit before that touched it, and its view from here on."""
        for repository, link in links.items():
            if now.number is None:
                check(link is None, f"{name} is of an old schema, and has a link of {repository}")
            else:
                check(link, f"{name} has no link of {repository}")
                after = self.touches.get(repository)
                check(link.get("after") == after, f"{name}: the link of {repository} does not name the commit before")
            self.touches[repository] = [number, f"sha256:{now.batch}"]
            self.views[repository] = link["view"] if link else None

    def derived(self):
        """The index is what the checkpoint of its commit states, and each view what the index says of it."""
        path = self.folder / "view/index"
        if not path.is_file():
            return 0
        envelope, content = self.cache("view/index")
        now = self.commits.get(envelope["sequence"])
        if now is None or now.number is None:
            return 0
        check(content.endswith(b"\n"), "view/index ends in the middle of a line")
        small, *lines = content[:-1].split(b"\n")
        buckets = [hashlib.sha256() for _ in range(256)]
        known = {}
        for line in lines:
            source, repository, touch, view = json.loads(line)
            known[source, repository] = touch, view
            buckets[sha256(f"{source}\n{repository}".encode())[0]].update(sha256(line))
        check(list(known) == sorted(known, key=lambda key: [part.encode() for part in key]), "view/index is in no order")
        root = root_of([bucket.digest() for bucket in buckets])
        # The form in which a program wrote it: of what the log holds it says nothing.
        form = now.state.split(" ")[0]
        state = f"{form} {len(content)} {sha256(sha256(small) + root).hex()}"
        check(state == now.state, f"view/index is not what the checkpoint of commit {now.number} states")
        if now is self.head:
            check({key: touch for key, (touch, _) in known.items()} == self.touches, "view/index has other repositories")
        seen = 0
        for (source, repository), (touch, view) in known.items():
            # The index may be of an earlier commit than the last one that touched it.
            if touch == self.touches[source, repository]:
                check(self.views[source, repository] in (None, view), f"view/index says something else of {repository}")
            seen += self.view(source, repository, touch, view)
        return seen

    def view(self, source, repository, touch, view):
        key = f"{source}\n{repository}"
        name = f"view/repository/{sha256(key.encode()).hex()}"
        if not (self.folder / name).is_file():
            return 0
        envelope, content = self.cache(name)
        check(self.key(envelope["repository"]) == (source, repository), f"{name} is another repository's")
        if envelope["latest"] == touch:
            form = view.split(" ")[0]
            check(view == f"{form} {len(content)} {sha256(content).hex()}", f"{name} is not what the log says it must be")
        return 1

    def cache(self, name):
        first, _, content = decompress(self.read(name), name).partition(b"\n")
        return json.loads(first), content

    def succession(self, number, old, before, now):
        given_up = old is not None and now.lost == (old.text, number)
        if given_up:
            # Nothing proves that the new key's owner is the old one's: it is told, and whoever trusts the old key refuses.
            self.lost.append(now.lost)
        else:
            check(now.lost == (before.lost if before else None), f"{now.what} says something else of lost keys")
        if now.key is None:
            check(old is None, f"{now.what} is not signed, and the one before it is")
        elif old is not None and old.text == now.key.text:
            check(now.since == before.since, f"{now.what} names another commit as its key's first")
        else:
            check(now.since == number, f"{now.what} names another commit as its key's first")
            if old is not None and not given_up:
                old.check(now, now.what)
            self.keys.append(now.key.text)

    def edge(self):
        edge, start, size = [], 0, len(self.leaves)
        for bit in reversed(range(size.bit_length())):
            if size >> bit & 1:
                edge.append(self.perfect(bit, start >> bit))
                start += 1 << bit
        return edge

    def perfect(self, level, number, cache={}):
        """The root of a perfect subtree; kept, because leaves are only ever added."""
        if level == 0:
            return self.leaves[number]
        key = (id(self), level, number)
        if key not in cache:
            cache[key] = node_hash(self.perfect(level - 1, 2 * number), self.perfect(level - 1, 2 * number + 1))
        return cache[key]

    def tiles(self):
        size, seen = len(self.leaves), 0
        for file in sorted((self.folder / "tile").rglob("*")):
            if not file.is_file():
                continue
            name = file.relative_to(self.folder).as_posix()
            found = re.fullmatch(r"tile/(\d+)/((?:x\d{3}/)*\d{3})(?:\.p/(\d+))?", name)
            check(found, f"{name} is no tile")
            level, number = int(found[1]), int(re.sub(r"[x/]", "", found[2]))
            width = int(found[3] or 256)
            start, nodes = number * 256, size >> 8 * level
            check(start + width <= nodes, f"{name} covers entries beyond the end of the log")
            data = b"".join(self.perfect(8 * level, start + n) for n in range(width))
            check(file.read_bytes() == data, f"{name} is not what the entries hash to")
            seen += 1
        level = 0
        while size >> 8 * (level + 1):
            whole = len([f for f in (self.folder / f"tile/{level}").rglob("*") if f.is_file() and ".p" not in f.as_posix()])
            check(whole == size >> 8 * (level + 1), f"tiles of level {level} are missing")
            level += 1
        return seen

    def report_bodies(self):
        for digest, run in self.reports.items():
            name = f"report/{digest.removeprefix('sha256:')}"
            body = decompress(self.read(name), name)
            check(sha256(body).hex() == digest.removeprefix("sha256:"), f"{name}, of run {run}, was changed")

    def since(self, claim):
        position = re.fullmatch(r"([0-9]+):(\S+)", claim)
        if position:
            now = self.commits.get(int(position[1]))
            check(now, f"commit {position[1]} was seen, and is not there")
            root = unbase64(position[2], 32, "the earlier root")
            check(now.root == root, f"commit {position[1]} has another root than was seen")
            return
        self.since_checkpoint(pathlib.Path(claim).read_bytes())

    def since_checkpoint(self, data):
        then = Checkpoint(data, "the earlier checkpoint")
        check(then.origin == self.head.origin, "the earlier checkpoint is of another log")
        if then.key:
            check(then.key.text in self.keys, "the key of the earlier checkpoint never signed this log")
        check(then.size <= self.head.size, "the log ends before the earlier checkpoint")
        check(root_of(self.leaves[: then.size]) == then.root, "the log says something else about the same past")


    def anchored(self, folder):
        files = sorted(file for file in (pathlib.Path(folder) / "checkpoint").iterdir() if file.name.isdigit())
        check(files, "the anchor holds nothing to compare with")
        for file in files:
            data = file.read_bytes()
            if is_torn(data):
                continue
            seen, own = Checkpoint(data, f"the anchor's {file.name}"), self.commits.get(int(file.name))
            check(seen.origin == self.head.origin, "this is the anchor of another log")
            check(own, f"the log does not have commit {int(file.name)}, which the anchor holds")
            check(own.body == seen.body, f"commit {int(file.name)} is not the one that the anchor holds")


def check_proof(proof, trusted):
    note = Checkpoint(proof["checkpoint"].encode(), "the proof's checkpoint")
    if trusted:
        Key(trusted).check(note, "the proof's checkpoint")
    root = unbase64(proof["root"], 32, "the proof's root")
    check((note.root, note.size) == (root, proof["tree_size"]), "the proof is about another tree than its checkpoint")
    leaf = leaf_hash(proof["entry"].encode())
    check(leaf == unbase64(proof["leaf_hash"], 32, "the leaf hash"), "the leaf hash is not the entry's")
    path = [unbase64(text, 32, "a hash of the proof") for text in proof["hashes"]]
    check(inclusion_root(proof["index"], proof["tree_size"], leaf, path) == root, "the proof does not lead to the root")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    arguments.add_argument("ledger", nargs="?")
    for name in ("key", "since", "anchor", "proof", "consistency"):
        arguments.add_argument(f"--{name}")
    given = arguments.parse_args()
    if given.proof:
        check_proof(json.loads(pathlib.Path(given.proof).read_text()), given.key)
        return "the proof holds"
    if given.consistency:
        told = json.loads(pathlib.Path(given.consistency).read_text())
        check(told["verdict"] == "grown", f"the log did not grow: {told['verdict']}")
        roots = [unbase64(told[name], 32, name) for name in ("from_root", "to_root")]
        path = [unbase64(text, 32, "a hash of the proof") for text in told["hashes"]]
        check_consistency(told["from_size"], told["to_size"], *roots, path)
        return "the proof holds"
    ledger = Ledger(given.ledger)
    ledger.walk()
    check(not given.key or given.key in ledger.keys, "the key that you trust never signed this log")
    for key, at in ledger.lost:
        check(given.key != key, f"the key that you trust was given up for lost at commit {at}")
        print(f"NOTE: commit {at} put another key in force without a signature of the last one, {key}")
    for number in ledger.strays:
        print(f"NOTE: checkpoint/{number:020} is no commit of this ledger, and ignored")
    tiles, views = ledger.tiles(), ledger.derived()
    ledger.report_bodies()
    if given.since:
        ledger.since(given.since)
    if given.anchor:
        ledger.anchored(given.anchor)
    reports = len(ledger.reports)
    return f"{len(ledger.leaves)} entries, {tiles} tiles, {views} views, {reports} reports: all of it holds"


if __name__ == "__main__":
    try:
        print(main())
    except Wrong as wrong:
        sys.exit(f"WRONG: {wrong}")
    except (KeyError, TypeError, ValueError) as error:
        sys.exit(f"WRONG: this is no ledger or proof: {error!r}")
