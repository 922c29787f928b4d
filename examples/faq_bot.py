"""The retriever of an FAQ bot: the answer to the question that means the same, or none.

    python examples/faq_bot.py examples/faq.csv "물건이 마음에 안 들어서 돌려보내고 싶어요"

A question may have several wordings, divided by |. The collection lies beside the file as
`faq.csv.kcsearch` and follows it: only what changed in the file is embedded again.
"""

import csv
import sys

from kcsearch import Collection, Document

LEAST_COSINE = 0.35  # for the bundled model; unrelated texts have about 0.08
UNKNOWN = "잘 모르겠습니다. 상담원에게 연결해 드릴까요?"


def read_faq(path: str) -> list[Document]:
    """A document for each wording of a question, which holds the answer as metadata."""
    with open(path, encoding="utf-8", newline="") as file:
        return [
            Document(wording, f"{row['id']}/{n}", path, metadata={"answer": row["answer"]})
            for row in csv.DictReader(file)
            for n, wording in enumerate(row["wordings"].split("|"))
        ]


class FaqBot:
    def __init__(self, path: str) -> None:
        self.collection = Collection(f"{path}.kcsearch")
        self.collection.sync(read_faq(path), sources=[path])

    def answer(self, question: str) -> str:
        hits = self.collection.search(question, top_k=1, min_score=LEAST_COSINE)
        return hits[0].metadata["answer"] if hits else UNKNOWN


def main(path: str, *questions: str) -> None:
    bot = FaqBot(path)
    for question in questions:
        print(bot.answer(question))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
