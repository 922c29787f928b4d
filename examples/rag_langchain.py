"""Answer a question from a file's passages: retrieval-augmented generation with LangChain.

    python examples/rag_langchain.py data/everyday.jsonl "예금은 얼마까지 보호되나요?"

Without a chat model the answer quotes the nearest passage. `respond` takes any chat model of
LangChain: `respond(retriever, init_chat_model("…")).invoke(question)`.
"""

import sys
import tempfile

from langchain_core.messages import AIMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable, RunnableLambda, RunnablePassthrough

from kcsearch import Collection
from kcsearch.integrations.langchain import KcsearchRetriever

PROMPT = ChatPromptTemplate.from_messages(
    [
        ("system", "아래 글에 있는 것만으로 답하고, 없으면 모른다고 하세요.\n\n{passages}"),
        ("human", "{question}"),
    ]
)


def respond(retriever: KcsearchRetriever, chat_model: Runnable) -> Runnable:
    """From a question to an answer."""
    passages = retriever | (lambda found: "\n".join(f"- {one.page_content}" for one in found))
    question = {"passages": passages, "question": RunnablePassthrough()}
    return question | PROMPT | chat_model | StrOutputParser()


def quote(prompt) -> AIMessage:
    """In place of a chat model: the first passage."""
    return AIMessage(prompt.to_messages()[0].content.split("\n- ")[1])


def main(path: str, question: str) -> None:
    with tempfile.TemporaryDirectory() as folder, Collection(f"{folder}/passages") as passages:
        passages.index([path])
        retriever = KcsearchRetriever(collection=passages, k=4)
        print(respond(retriever, RunnableLambda(quote)).invoke(question))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:3])
