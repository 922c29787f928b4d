"""Leave out the comments that say what an earlier one says, in the same words or nearly so.

    python examples/deduplicate_comments.py examples/comments.txt > kept.txt

Before they are compared, comments are cleaned as KcBERT's were (ㅋㅋㅋㅋㅋ becomes ㅋㅋ). The first
of each kind is printed as it stands; what it stands for is told on standard error.
"""

import argparse
import sys
import tempfile

from kcsearch import Collection, Document

LEAST_COSINE = 0.6  # for the bundled model; comments that differ have 0.3 and less


def representatives(comments: list[str], least_cosine: float) -> dict[int, int]:
    """For the place of each comment that of the first one which says the same."""
    documents = [Document(comment, key=str(i)) for i, comment in enumerate(comments)]
    first: dict[int, int] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        Collection(f"{folder}/comments", clean="kcbert") as collection,
    ):
        collection.add(documents)
        for place in range(len(comments)):
            hits = collection.similar(str(place), top_k=100, min_score=least_cosine)
            kept = [int(hit.key) for hit in hits if first.get(int(hit.key)) == int(hit.key)]
            first[place] = kept[0] if kept else place
    return first


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("path", help="a comment a line")
    parser.add_argument("--least-cosine", type=float, default=LEAST_COSINE)
    options = parser.parse_args()
    with open(options.path, encoding="utf-8") as file:
        comments = [line.strip() for line in file if line.strip()]
    first = representatives(comments, options.least_cosine)
    for place, comment in enumerate(comments):
        if first[place] == place:
            print(comment)
        else:
            print(f"{comment}  =  {comments[first[place]]}", file=sys.stderr)


if __name__ == "__main__":
    main()
