"""The Korean of every message; the keys are the English words as they stand in the code."""

from __future__ import annotations

KOREAN: dict[str, str] = {
    # help pages
    (
        "Search Korean text by meaning, on this machine.\n\n"
        "`index` embeds every line of your files, `query` finds the nearest ones."
    ): (
        "한국어 글을 뜻으로 찾습니다. 모두 이 컴퓨터 안에서 처리합니다.\n\n"
        "`index`는 파일의 줄마다 임베딩을 만들고, `query`는 뜻이 가장 가까운 줄을 찾습니다."
    ),
    "Print the version.": "버전을 출력합니다.",
    "Bring the collection in step with files; only what changed is embedded.": (
        "파일 내용을 컬렉션에 반영합니다. 바뀐 부분만 새로 임베딩합니다."
    ),
    "Files, folders, patterns, or - for standard input.": "파일, 폴더, 패턴 또는 -(표준 입력).",
    "What one document is [default: line; paragraph in Markdown].": (
        "문서 하나의 단위 [기본값: line, Markdown은 paragraph]."
    ),
    "The field or column with the text.": "본문이 든 필드나 열.",
    "The field or column with the key [default: key, id or _id, if there].": (
        "키가 든 필드나 열 [기본값: key, id, _id 중 있는 것]."
    ),
    "Force an encoding [default: UTF-8, UTF-16 with a mark, or CP949].": (
        "인코딩을 지정합니다 [기본값: UTF-8, BOM이 있는 UTF-16, CP949 순]."
    ),
    "Read as txt, md, jsonl, json, csv, tsv, html, docx, hwpx, pdf or parquet "
    "[default: by suffix].": (
        "txt, md, jsonl, json, csv, tsv, html, docx, hwpx, pdf, parquet 중 어느 형식으로 읽을지 "
        "[기본: 확장자]."
    ),
    "Remove documents that vanished from these files [default: --prune].": (
        "이 파일들에서 없어진 문서를 컬렉션에서도 지웁니다 [기본값: --prune]."
    ),
    "Only tell what would be done.": "바꾸지 않고 무엇을 할지만 알려 줍니다.",
    "Print the report as JSON on stdout.": "결과 보고를 표준 출력에 JSON으로 출력합니다.",
    "Print the documents that are nearest in meaning.": "뜻이 가장 가까운 문서를 출력합니다.",
    "Queries, or - for a line each from stdin.": (
        "검색어. -이면 표준 입력의 한 줄이 검색어 하나입니다."
    ),
    "How many documents to print.": "출력할 문서 수.",
    "Neighbours of a stored document.": "저장된 문서와 가까운 문서를 찾습니다.",
    "Print N lines around each hit.": "찾은 문서의 앞뒤 N줄도 출력합니다.",
    "Print a document by its key.": "키로 문서를 찾아 출력합니다.",
    "Print stored documents in the order in which they were added.": (
        "저장된 문서를 추가된 순서대로 출력합니다."
    ),
    "At most so many.": "최대 개수.",
    "Leave out the first so many.": "앞에서 건너뛸 개수.",
    "Remove documents by key or by condition.": "키나 조건으로 문서를 지웁니다.",
    "Say what the collection holds, with which model, and where it lies.": (
        "컬렉션의 내용, 모델, 위치를 알려 줍니다."
    ),
    "How to print.": "출력 형식.",
    "Texts, or - for a line each from stdin.": "글. -이면 표준 입력의 한 줄이 글 하나입니다.",
    "List the models that are bundled or cached; show or export one.": (
        "내장되었거나 캐시에 있는 모델을 보여 주거나 내보냅니다."
    ),
    (
        "Write a model as a folder for other programs.\n\n"
        "sentence-transformers loads it by its path and gives the same vectors. onnx: one graph "
        "from piece ids to unit vectors, with its tokenizer."
    ): (
        "모델을 다른 프로그램에서 쓸 폴더로 내보냅니다.\n\n"
        "sentence-transformers는 그 경로로 불러와 같은 벡터를 냅니다. onnx: 조각 번호에서 단위 "
        "벡터까지의 그래프 하나와 토크나이저."
    ),
    "The new folder.": "새 폴더.",
    "For which program.": "어느 프로그램용인지.",
    "The model is in {path}.": "모델은 {path}에 있습니다.",
    (
        "{name}: its texts are cleaned ({clean}) before they are encoded, which no other program "
        "would do: it cannot be exported"
    ): (
        "{name}: 글을 정리한({clean}) 뒤 인코딩하는 모델인데 다른 프로그램은 그렇게 하지 않으므로 "
        "내보낼 수 없습니다"
    ),
    "Print a model's configuration.": "모델의 설정을 출력합니다.",
    "As for --model.": "--model에 쓰는 이름.",
    "Print pieces and ids as a BertTokenizer gives them.": (
        "BertTokenizer가 나눈 조각과 번호를 출력합니다."
    ),
    "Cut to so many pieces, and fill up to them.": "조각 수를 여기에 맞춰 자르거나 채웁니다.",
    "Fill up with [PAD] [default: max_length if given, else longest].": (
        "[PAD]로 채우는 방식 [기본값: --max-length가 있으면 max_length, 없으면 longest]."
    ),
    "Print or save vectors.": "벡터를 출력하거나 저장합니다.",
    "sentence: the pooled vector; word: the last hidden states.": (
        "sentence: 문장 벡터, word: 마지막 층의 은닉 상태."
    ),
    "Scale sentence vectors to length one [default: --normalize].": (
        "문장 벡터의 길이를 1로 맞춥니다 [기본값: --normalize]."
    ),
    "Which prompt goes before the text, if the model has one.": (
        "모델에 접두어가 있을 때 글 앞에 붙일 것."
    ),
    "Write float32 (n, dim) there [default: JSON lines on stdout].": (
        "float32 (n, dim) 배열을 저장할 파일 [기본값: 표준 출력에 JSON Lines]."
    ),
    "The collection's folder [default: .kcsearch here or in a folder above].": (
        "컬렉션 폴더 [기본값: 이 폴더나 상위 폴더의 .kcsearch]."
    ),
    "bundled, a model folder, or a Hugging Face name such as beomi/kcbert-base.": (
        "bundled(내장 모델), 모델 폴더, 또는 beomi/kcbert-base 같은 Hugging Face 이름."
    ),
    "Only documents whose field (or key, source, line) is VALUE; repeatable.": (
        "필드(또는 key, source, line)가 VALUE인 문서만. 여러 번 쓸 수 있습니다."
    ),
    "Only documents that fulfil this SQL condition (row_id, key, text, …).": (
        "이 SQL 조건에 맞는 문서만 (row_id, key, text, …)."
    ),
    "A value for :NAME in --where, as text; repeatable.": (
        "--where의 :NAME에 넣을 값(문자열). 여러 번 쓸 수 있습니다."
    ),
    "dense: by vectors; lexical: by words and their bigrams; hybrid: both.": (
        "dense: 벡터로, lexical: 단어와 음절 바이그램으로, hybrid: 둘 다."
    ),
    "Tell how each score came about.": "점수가 어떻게 나왔는지 보여 줍니다.",
    "score {score}": "점수 {score}",
    (
        "score {score} = {dense} by meaning (rank {dense_rank}) + {lexical} by words "
        "(rank {lexical_rank}): {matched}"
    ): (
        "점수 {score} = 의미 {dense} ({dense_rank}위) + 단어 {lexical} ({lexical_rank}위): "
        "{matched}"
    ),
    "min_score is a cosine from -1 to 1, or a percentile such as p99, not {score!r}": (
        "min_score는 -1에서 1까지의 코사인이나 p99 같은 백분위여야 합니다: {score!r}"
    ),
    "min_score {score!r}: the collection is too small for percentiles. Use a cosine": (
        "min_score {score!r}: 문서가 적어 백분위를 쓸 수 없습니다. 코사인을 쓰십시오"
    ),
    "Least cosine, as 0.4, or percentile among random pairs, as p99.9.": (
        "최소 코사인(예: 0.4) 또는 무작위 쌍 가운데의 백분위(예: p99.9)."
    ),
    "mode is dense, lexical or hybrid, not {mode!r}": (
        "mode는 dense, lexical, hybrid 중 하나여야 합니다: {mode!r}"
    ),
    "How long to wait for another writer.": "다른 프로세스의 쓰기가 끝나기를 기다릴 시간.",
    "auto: bf16 where the processor is quick at it, else fp32. int8 is quicker and changes "
    "about 6 of 100 neighbours.": (
        "auto: bf16이 빠른 프로세서에서는 bf16, 아니면 fp32. int8은 더 빠르지만 가까운 문서 "
        "100개 중 6개쯤이 달라집니다."
    ),
    "The same bytes for the same text on this machine, in any order; slower.": (
        "이 컴퓨터에서 같은 글은 순서와 상관없이 같은 바이트가 됩니다 (느려짐)."
    ),
    "only BERT folders are encoded deterministically, not this one": (
        "--deterministic은 BERT 모델에만 쓸 수 있습니다"
    ),
    "auto, cpu, cuda or mps.": "auto, cpu, cuda, mps 중 하나.",
    "Processor threads [default: all].": "쓸 스레드 수 [기본값: 전부].",
    "See `{command} --help`": "자세한 사용법: `{command} --help`",
    "[OPTIONS]": "[옵션]",
    "COMMAND [ARGUMENTS]": "명령 [인수]",
    "Usage: {words}": "사용법: {words}",
    "Examples:": "예:",
    "Arguments:": "인수:",
    "Options:": "옵션:",
    "Commands:": "명령:",
    "[default: {value}]": "[기본값: {value}]",
    "[variable: {name}]": "[환경 변수: {name}]",
    "Show this message and exit.": "이 도움말을 출력합니다.",
    "Install completion for the current shell.": "지금 쓰는 셸에 자동 완성을 설치합니다.",
    "Show completion for the current shell, to copy it or customize the installation.": (
        "지금 쓰는 셸의 자동 완성 스크립트를 출력합니다. 복사하거나 고쳐 쓸 수 있습니다."
    ),
    # what is told beside the data
    "Error: {message}": "오류: {message}",
    "Nothing found.": "찾은 문서가 없습니다.",
    "Nothing found: no document has a field {name!r}.": (
        "찾은 문서가 없습니다: {name!r} 필드가 있는 문서가 없습니다."
    ),
    "Documents that would be removed: {n}": "지워질 문서: {n}개",
    "Documents removed: {n}": "지운 문서: {n}개",
    "collection": "컬렉션",
    "documents": "문서",
    "sources": "출처",
    "model": "모델",
    "vectors": "벡터",
    "name": "이름",
    "alias": "별칭",
    "state": "상태",
    "kind": "종류",
    "key": "키",
    "text": "본문",
    "percentile": "백분위",
    "Afterwards fit PCA whitening to DIM numbers on all vectors, for models that were "
    "not trained for similarity; 0 takes it away.": (
        "끝난 뒤 모든 벡터로 PCA 백색화(DIM차원)를 맞춥니다. 유사도로 학습하지 않은 모델에 씁니다. "
        "0이면 없앱니다."
    ),
    "Vectors whitened to {dim} numbers": "벡터를 {dim}차원으로 백색화했습니다",
    "Whitening removed": "백색화를 없앴습니다",
    "whitened": "백색화",
    "{dim} numbers, fitted on {n_rows} vectors": "{dim}차원, 벡터 {n_rows}개로 맞춤",
    "random pairs": "무작위 쌍",
    "cosine {numbers}": "코사인 {numbers}",
    "The vectors lie close together, as those of a model that was not trained for "
    "similarity. `kcsearch index FILE --whiten {dim}` spreads them": (
        "유사도로 학습하지 않은 모델처럼 벡터가 서로 몰려 있습니다. "
        "`kcsearch index FILE --whiten {dim}`로 펼 수 있습니다"
    ),
    "cannot whiten to {dim} numbers: vectors have {d}, and there are {n} of them. "
    "Choose at most {most}": (
        "{dim}차원으로 백색화할 수 없습니다: 벡터는 {d}차원 {n}개입니다. {most} 이하로 하십시오"
    ),
    "kcbert: clean comments before encoding, as KcBERT was trained on them.": (
        "kcbert: KcBERT를 학습할 때처럼 댓글을 정리한 뒤 벡터로 만듭니다."
    ),
    "{path} was made with --clean {mine}, not {other}": (
        "{path}은(는) --clean {mine}(으)로 만든 컬렉션입니다 ({other} 아님)"
    ),
    "clean is none or kcbert, not {name!r}": "clean은 none이나 kcbert입니다: {name!r}",
    "What a new collection looks words up by: syllable bigrams, or Kiwi's morphemes "
    "(kcsearch[ko]) [default: bigrams].": (
        "새 컬렉션에서 낱말을 찾는 단위: 음절 바이그램(bigrams) 또는 Kiwi 형태소(kiwi, "
        "kcsearch[ko]) [기본값: bigrams]."
    ),
    "{path} was made with --words {mine}, not {other}": (
        "{path}은(는) --words {mine}(으)로 만든 컬렉션입니다 ({other} 아님)"
    ),
    "words is bigrams or kiwi, not {name!r}": "words는 bigrams나 kiwi입니다: {name!r}",
    "morphemes by Kiwi": "Kiwi 형태소",
    "Measure the search against judged queries, or vectors against scored sentence pairs.": (
        "판정이 달린 질의로 검색 품질을, 점수가 달린 문장 쌍으로 벡터를 잽니다."
    ),
    "JSON Lines, TSV or TREC topics.": "JSON Lines, TSV 또는 TREC 토픽.",
    "Judgements as TREC's, BEIR's or JSON Lines.": "판정 파일: TREC, BEIR 또는 JSON Lines.",
    "Measure this mode, or each.": "이 방식을, 또는 모두를 잽니다.",
    "Sentence pairs with scores: Spearman's rank correlation with the cosine.": (
        "점수가 달린 문장 쌍: 코사인과의 스피어먼 순위 상관."
    ),
    "Write a JSON line for each query and mode: its measures, what it found.": (
        "질의와 방식마다 지표와 찾은 문서를 JSON 한 줄로 씁니다."
    ),
    "give QUERIES and QRELS, or --sts FILE, and not both": (
        "QUERIES와 QRELS를 쓰거나 --sts FILE을 쓰십시오 (둘 다는 안 됩니다)"
    ),
    "no query of {queries} has a relevant document in {qrels}": (
        "{queries}의 질의 가운데 {qrels}에 맞는 문서가 있는 것이 없습니다"
    ),
    "pairs": "쌍",
    "Spearman": "스피어먼",
    "95 % interval": "95 % 구간",
    "measure": "지표",
    "{n} queries, with 95 % intervals. Of the 10 nearest vectors the index finds {share}": (
        "질의 {n}개, 95 % 구간. 가장 가까운 벡터 10개 가운데 색인이 찾는 비율: {share}"
    ),
    "Queries without a relevant document, left out: {n}": "맞는 문서가 없어 뺀 질의: {n}개",
    "Judged queries whose text is not there, left out: {n}": (
        "질의 파일에 없어 뺀 판정 질의: {n}개"
    ),
    "Relevant documents that the collection does not hold: {n} of {all}": (
        "컬렉션에 없는 정답 문서: {all}개 중 {n}개"
    ),
    "{path}:{line}: the query {key!r} comes twice": (
        "{path}:{line}: 질의 {key!r}이(가) 두 번 나옵니다"
    ),
    "{path}:{line}: the query is empty": "{path}:{line}: 질의가 비어 있습니다",
    "{path}:{line}: no field {name}": "{path}:{line}: {name} 필드가 없습니다",
    "{path}:{line}: {n} columns between tabs where {wanted} are needed": (
        "{path}:{line}: 탭으로 나눈 열이 {n}개입니다 ({wanted}개 필요)"
    ),
    "{path}:{line}: {n} columns; judgements are QUERY DOCUMENT GRADE, or TREC's four": (
        "{path}:{line}: 열이 {n}개입니다. 판정은 질의 문서 등급, 또는 TREC의 네 열입니다"
    ),
    "{path}:{line}: a topic without num or title": "{path}:{line}: num이나 title이 없는 토픽입니다",
    "{path}:{line}: {value!r} is no number of the kind that is needed": (
        "{path}:{line}: {value!r}은(는) 쓸 수 있는 숫자가 아닙니다"
    ),
    "{path}: there is nothing in it": "{path}: 내용이 없습니다",
    "{query} is read as {text}": "{query}: {text}(으)로 읽었습니다",
    "Nothing holds {query}; this is for {text}, as if typed in the other keyboard mode": (
        "{query}이(가) 든 문서가 없어, 한/영을 바꿔 친 {text}(으)로 찾았습니다"
    ),
    "Did you mean {text}?": "혹시 {text}을(를) 찾으십니까?",
    "cosine": "코사인",
    "bundled": "내장",
    "cached": "캐시에 있음",
    "not cached": "캐시에 없음",
    "Reading what you type; Ctrl-D ends it.": "입력을 기다립니다. 끝내려면 Ctrl-D를 누르십시오.",
    (
        "Interrupted. What was embedded is kept: documents now {n}, of this run {new}. The same "
        "command goes on from there."
    ): (
        "중단했습니다. 지금까지 임베딩한 것은 그대로 있습니다. 현재 문서 {n}개, 이번에 추가 "
        "{new}개. 같은 명령을 다시 실행하면 이어서 합니다."
    ),
    "{name} is not UTF-8; it was read as CP949.": "{name}: UTF-8이 아니어서 CP949로 읽었습니다.",
    "Files of other formats left out: {n}, such as {name}": (
        "형식이 달라 제외한 파일: {n}개 (예: {name})"
    ),
    "Blank lines skipped: {n}": "건너뛴 빈 줄: {n}개",
    (
        "Documents read: {read} ({added} new, {changed} changed, {removed} removed, {unchanged} "
        "unchanged; {embedded} embedded)"
    ): (
        "읽은 문서: {read}개 (추가 {added}, 변경 {changed}, 삭제 {removed}, 그대로 {unchanged}, "
        "임베딩 {embedded})"
    ),
    "Windows that hold the texts over the model's limit: {n}": (
        "모델 한도를 넘는 글을 나눈 조각: {n}개"
    ),
    "A dry run: nothing was changed.": "시험 실행이므로 아무것도 바꾸지 않았습니다.",
    "Documents in {path}: {n} ({seconds} s)": "{path}의 문서: {n}개 ({seconds}초)",
    "Another process is writing; waiting for it …": "다른 프로세스가 쓰고 있어 기다립니다 …",
    "{n} documents, {rate}/s": "문서 {n}개, 초당 {rate}개",
    "{time} left": "남은 시간 {time}",
    # keeping a collection whole
    "Look at everything that is stored, and say what does not fit.": (
        "저장된 것을 모두 검사하고 맞지 않는 것을 알려 줍니다."
    ),
    "Mend a damaged collection: all that can be rebuilt is, the rest is set aside in a file.": (
        "손상된 컬렉션을 고칩니다. 되살릴 수 있는 것은 되살리고 나머지는 파일에 따로 둡니다."
    ),
    "Build the vector index again from the stored vectors; nothing is embedded.": (
        "저장된 벡터로 벡터 색인을 다시 만듭니다. 임베딩은 하지 않습니다."
    ),
    "Give the room of removed documents back to the disk, and merge the word index.": (
        "지운 문서의 자리를 디스크에 돌려주고 낱말 색인을 합칩니다."
    ),
    "Copy the collection into a new folder, also while something writes to it.": (
        "컬렉션을 새 폴더에 복사합니다. 다른 프로세스가 쓰는 중에도 됩니다."
    ),
    "A new folder.": "새 폴더.",
    "part": "부분",
    "looked at": "검사",
    "wrong": "잘못",
    "what": "내용",
    "SQLite file": "SQLite 파일",
    "counts": "개수",
    "words": "낱말",
    "vectors.faiss": "vectors.faiss",
    "searches": "검색",
    "Documents kept: {n}, of them encoded again: {new}": (
        "남긴 문서: {n}개, 그중 다시 임베딩: {new}개"
    ),
    "Set aside in {name}, because they are damaged: {n}": "손상되어 {name}에 따로 둔 문서: {n}개",
    "Gone without a trace: {n}. `kcsearch index` on their sources brings them back.": (
        "읽을 수 없어 사라진 문서: {n}개. 원본에 `kcsearch index`를 실행하면 되살아납니다."
    ),
    "The damaged store is kept as {name}": "손상된 저장소는 {name}(으)로 남겨 두었습니다",
    "Vectors in the index: {n}": "색인의 벡터: {n}개",
    "store.db: {before} MB, before {after} MB": "store.db: {before} MB, 이전 {after} MB",
    "Documents copied to {path}: {n}": "{path}에 복사한 문서: {n}개",
    (
        "{path}: not all of it is as it should be: {parts}. `kcsearch repair` mends what can be "
        "mended"
    ): "{path}: 잘못된 부분이 있습니다: {parts}. `kcsearch repair`로 고칠 수 있는 것은 고칩니다",
    "{path} is there already: name a new folder": "{path}: 이미 있습니다. 새 폴더를 쓰십시오",
    (
        "{path}: not even its settings can be read. Put back a copy of the collection, or delete "
        "its folder and index again"
    ): (
        "{path}: 설정조차 읽을 수 없습니다. 백업한 컬렉션으로 되돌리거나, 폴더를 지우고 다시 "
        "인덱싱하십시오"
    ),
    (
        "the whitening of the collection is damaged. Put back a copy of the collection, or delete "
        "its folder and index again"
    ): (
        "컬렉션의 백색화 설정이 손상되었습니다. 백업한 컬렉션으로 되돌리거나, 폴더를 지우고 다시 "
        "인덱싱하십시오"
    ),
    (
        "{path}: the setting {name} is lost. Put back a copy of the collection, or delete its "
        "folder and index again"
    ): (
        "{path}: {name} 설정이 없어졌습니다. 백업한 컬렉션으로 되돌리거나, 폴더를 지우고 다시 "
        "인덱싱하십시오"
    ),
    "its model is not here": "만들 때 쓴 모델이 없습니다",
    (
        "{path} was deleted or replaced while it was written: what this run has added is not "
        "there. Run the command again"
    ): (
        "{path}: 쓰는 동안 지워지거나 바뀌었습니다. 이번에 추가한 것은 남지 않았습니다. 명령을 "
        "다시 실행하십시오"
    ),
    # export and import
    "Write documents to a file: .jsonl, .parquet, or .npy for the vectors as a matrix.": (
        "문서를 파일로 내보냅니다. .jsonl, .parquet, 또는 벡터 행렬은 .npy."
    ),
    "A file, or - for standard output.": "파일, 또는 표준 출력은 -.",
    "Write the vectors, too.": "벡터도 함께 씁니다.",
    "Add what `export` wrote; vectors of the same model are taken as they are.": (
        "`export`가 쓴 것을 추가합니다. 같은 모델의 벡터는 그대로 씁니다."
    ),
    "A .jsonl, .parquet or .npy file.": ".jsonl, .parquet 또는 .npy 파일.",
    "{name}: a name that ends in .jsonl, .parquet or .npy is needed": (
        "{name}: .jsonl, .parquet, .npy 가운데 하나로 끝나는 이름을 쓰십시오"
    ),
    "Documents written: {n}": "내보낸 문서: {n}개",
    "Documents read: {read} ({added} new, {changed} replaced)": (
        "읽은 문서: {read}개 (추가 {added}, 교체 {changed})"
    ),
    (
        "{path} holds vectors of the model {name!r}: name it with --model, or import into a "
        "collection of that model"
    ): (
        "{path}: {name!r} 모델의 벡터입니다. --model로 그 모델을 지정하거나, 그 모델의 컬렉션에 "
        "추가하십시오"
    ),
    "{path}:{line}: the document cannot be used: {fault}": (
        "{path}:{line}: 쓸 수 없는 문서입니다: {fault}"
    ),
    "{path} has {n} rows, and {other} another number of them: they are not of one export": (
        "{path}에는 {n}줄이 있고 {other}의 줄 수는 다릅니다. 함께 내보낸 파일이 아닙니다"
    ),
    (
        "{path} holds vectors of the model {theirs}, the collection those of {ours}: they differ "
        "in {what}. Export without --vectors, and the texts are embedded again"
    ): (
        "{path}: {theirs} 모델의 벡터인데 컬렉션은 {ours} 모델로 만들었습니다 ({what}이(가) "
        "다릅니다). --vectors 없이 내보내면 글을 다시 임베딩합니다"
    ),
    (
        "{path}:{line}: not a document as `kcsearch export` writes it. Other files are for "
        "`kcsearch index`"
    ): (
        "{path}:{line}: `kcsearch export`가 쓴 문서가 아닙니다. 다른 파일에는 `kcsearch index`를 "
        "쓰십시오"
    ),
    "{path}:{line}: the field {field!r} is not what `kcsearch export` writes": (
        "{path}:{line}: {field!r} 필드가 `kcsearch export`가 쓴 것과 다릅니다"
    ),
    "{path}:{line}: the document has no key": "{path}:{line}: 문서에 키가 없습니다",
    "{path}: not a matrix of float32": "{path}: float32 행렬이 아닙니다",
    # arguments and streams
    "Invalid value for {name}: {reason}": "{name}에 쓸 수 없는 값입니다: {reason}",
    "{value} is not in the range {range}": "{value}: {range} 범위를 벗어났습니다",
    "{value} is not a valid int range": "{value}: 정수를 써야 합니다",
    "{value} is not a valid float range": "{value}: 숫자를 써야 합니다",
    "{value} is not a valid float": "{value}: 숫자를 써야 합니다",
    "{value} is not a valid integer": "{value}: 정수를 써야 합니다",
    "Input should be a valid integer, unable to parse string as an integer": "정수를 써야 합니다",
    "Input should be a valid number, unable to parse string as a number": "숫자를 써야 합니다",
    "Input should be greater than or equal to {least}": "{least} 이상이어야 합니다",
    "Input should be less than or equal to {most}": "{most} 이하여야 합니다",
    "path {name} is not readable": "{name} 경로를 읽을 수 없습니다",
    "{path}: this file belongs to a collection and is not written over": (
        "{path}: 컬렉션에 속한 파일이므로 덮어쓰지 않습니다"
    ),
    "{name}: a name that ends in .npy is needed": "{name}: .npy로 끝나는 이름이어야 합니다",
    "{path}: cannot be written ({reason})": "{path}: 쓸 수 없습니다 ({reason})",
    "the working directory cannot be read ({reason}): cd into another": (
        "현재 폴더를 읽을 수 없습니다 ({reason}). 다른 폴더로 옮기십시오 (cd)"
    ),
    "{word} is not one of {choices}": "{word} 대신 다음 중 하나를 쓰십시오: {choices}",
    "No such command {name}. Did you mean {others}?": (
        "{name} 명령은 없습니다. 비슷한 명령: {others}"
    ),
    "No such command {name}": "{name} 명령은 없습니다",
    "No such option: {name} (Possible options: {others})": (
        "{name} 옵션은 없습니다 (비슷한 옵션: {others})"
    ),
    "No such option: {name}": "{name} 옵션은 없습니다",
    "Missing argument {name}": "{name} 인수가 필요합니다",
    "Missing command": "명령이 필요합니다",
    "Got unexpected extra argument(s) ({words})": "필요 없는 인수가 있습니다: {words}",
    "Option {name} requires an argument": "{name} 옵션에는 값이 필요합니다",
    "Option {name} does not take a value": "{name} 옵션에는 값을 쓰지 않습니다",
    "give a query, or --similar-to KEY, and not both": (
        "검색어나 --similar-to KEY 중 하나를 쓰십시오(둘을 함께 쓸 수는 없습니다)"
    ),
    "give keys, or a condition with --filter or --where, and not both": (
        "키나 조건(--filter, --where) 중 하나를 쓰십시오(둘을 함께 쓸 수는 없습니다)"
    ),
    "{option} {word!r}: {form} is needed": "{option} {word!r}: {form} 형식으로 쓰십시오",
    "word vectors differ in number by text: they are printed as JSON only": (
        "단어 벡터는 글마다 개수가 달라 JSON으로만 출력합니다"
    ),
    "standard input cannot be read ({reason})": "표준 입력을 읽을 수 없습니다 ({reason})",
    "standard input:{line}: not UTF-8. Convert it first: iconv -f cp949 -t utf-8": (
        "표준 입력:{line}: UTF-8이 아닙니다. 먼저 변환하십시오: iconv -f cp949 -t utf-8"
    ),
    "standard output cannot be written ({reason})": "표준 출력에 쓸 수 없습니다 ({reason})",
    # files
    "{path}:{line}: the field {field!r} holds {found}, not text": (
        "{path}:{line}: {field!r} 필드에 글이 아니라 {found} 값이 있습니다"
    ),
    (
        "{path}:{line}: no field {field!r}; there is {fields}. Name the field that holds the "
        "text, for example --text-field {guess}"
    ): (
        "{path}:{line}: {field!r} 필드가 없습니다. 있는 필드: {fields}. 본문이 든 필드를 "
        "지정하십시오. 예: --text-field {guess}"
    ),
    (
        "{path}:{line}: no field {field!r} to take the key from; there is {fields}. Name another "
        'with --key-field, or "" to number the documents by line'
    ): (
        "{path}:{line}: 키로 쓸 {field!r} 필드가 없습니다. 있는 필드: {fields}. --key-field로 "
        '다른 필드를 지정하거나, ""로 줄 번호를 키로 쓰십시오'
    ),
    (
        "{path}:{line}: the key in {field!r} is {found}; a key is a string or a whole number. "
        'Name another field with --key-field, or "" to number the documents by line'
    ): (
        "{path}:{line}: {field!r} 필드의 키가 {found}입니다. 키는 문자열이나 정수여야 합니다. "
        '--key-field로 다른 필드를 지정하거나, ""로 줄 번호를 키로 쓰십시오'
    ),
    "no encoding is called {name!r}. Some that are: utf-8, cp949, euc-kr, utf-16, johab": (
        "{name!r} 인코딩은 없습니다. 쓸 수 있는 것: utf-8, cp949, euc-kr, utf-16, johab 등"
    ),
    (
        "{path}:{line}: longer than {limit} characters without an end. If the file is of another "
        "format, name it with --format"
    ): (
        "{path}:{line}: {limit}자가 넘도록 끝나지 않습니다. 다른 형식의 파일이라면 --format으로 "
        "지정하십시오"
    ),
    "{path}: cannot be read ({reason})": "{path}: 읽을 수 없습니다 ({reason})",
    "{path}: was changed while it was read": "{path}: 읽는 동안 파일이 바뀌었습니다",
    "{path}: not text but {kind}": "{path}: 텍스트 파일이 아니라 {kind}",
    "a PDF file; give it a name that ends in .pdf": (
        "PDF 파일입니다. 이름이 .pdf로 끝나게 하십시오"
    ),
    "HWP 5 or old Office; save it as HWPX or DOCX first": (
        "HWP 5 파일이거나 옛 오피스 파일입니다. 한글에서 HWPX로, 또는 DOCX로 저장한 뒤 쓰십시오"
    ),
    "HWP 3; save it as HWPX first": ("HWP 3 파일입니다. 한글에서 HWPX로 저장한 뒤 쓰십시오"),
    "a ZIP file (XLSX, ODT, EPUB …); save it as text first": (
        "ZIP 파일입니다(XLSX, ODT, EPUB …). 텍스트로 저장한 뒤 쓰십시오"
    ),
    "gzip; give it a name that ends in .gz, or unpack it first": (
        "gzip 파일입니다. 이름이 .gz로 끝나게 하거나 먼저 푸십시오"
    ),
    "xz; give it a name that ends in .xz, or unpack it first": (
        "xz 파일입니다. 이름이 .xz로 끝나게 하거나 먼저 푸십시오"
    ),
    "bzip2; give it a name that ends in .bz2, or unpack it first": (
        "bzip2 파일입니다. 이름이 .bz2로 끝나게 하거나 먼저 푸십시오"
    ),
    "zstd; unpack it first": ("zstd 파일입니다. 먼저 푸십시오"),
    "a 7z archive; unpack it first": ("7z 압축 파일입니다. 먼저 푸십시오"),
    "a RAR archive; unpack it first": ("RAR 압축 파일입니다. 먼저 푸십시오"),
    "an SQLite database; say with --sql what to read": (
        "SQLite 데이터베이스입니다. 무엇을 읽을지 --sql로 지정하십시오"
    ),
    "a Parquet file; give it a name that ends in .parquet": (
        "Parquet 파일입니다. 이름이 .parquet로 끝나게 하십시오"
    ),
    "an Arrow file; save it as JSON lines or CSV first": (
        "Arrow 파일입니다. JSON Lines나 CSV로 저장한 뒤 쓰십시오"
    ),
    "a PNG image": ("PNG 그림입니다"),
    "a JPEG image": ("JPEG 그림입니다"),
    "a GIF image": ("GIF 그림입니다"),
    "a sound, film or WebP file": ("소리나 영상, 또는 WebP 파일입니다"),
    "a sound or film file": ("소리나 영상 파일입니다"),
    "a sound file": ("소리 파일입니다"),
    "a program": ("프로그램입니다"),
    "a NumPy array": ("NumPy 배열입니다"),
    (
        "{path}:{line}: byte {byte} at offset {offset} is not {encodings}. Save the file as "
        "UTF-8, or name its encoding with --encoding"
    ): (
        "{path}:{line}: 위치 {offset}의 바이트 {byte}은(는) {encodings}로 읽을 수 없습니다. "
        "파일을 UTF-8로 저장하거나 --encoding으로 인코딩을 지정하십시오"
    ),
    (
        "{path}: not text: there is a NUL byte at offset {offset}. For UTF-16 without a byte "
        "order mark give --encoding utf-16-le"
    ): (
        "{path}: 텍스트 파일이 아닙니다. 위치 {offset}에 NUL 바이트가 있습니다. BOM 없는 "
        "UTF-16이라면 --encoding utf-16-le를 쓰십시오"
    ),
    "{path}: an object with several arrays ({names}); one of records is needed": (
        "{path}: 객체 안에 배열이 여럿입니다 ({names}). 레코드 배열은 하나여야 합니다"
    ),
    (
        "{path}:{line}: {found} where a text or an object should be. A whole array belongs into "
        "a .json file (--format json)"
    ): (
        "{path}:{line}: 글이나 객체가 있어야 할 곳에 {found} 값이 있습니다. 배열 전체는 .json "
        "파일로 읽으십시오 (--format json)"
    ),
    (
        "{path}:{line}: not JSON as it should be ({reason}). If the file is of another format, "
        "name it with --format"
    ): (
        "{path}:{line}: 올바른 JSON이 아닙니다 ({reason}). 다른 형식의 파일이라면 --format으로 "
        "지정하십시오"
    ),
    "{name!r} is not the name of a file": "{name!r}: 파일 이름이 아닙니다",
    "{path}: no file matches": "{path}: 맞는 파일이 없습니다",
    "{path}: no file in this folder ends in one of {suffixes}": (
        "{path}: 이 폴더에는 읽을 수 있는 확장자의 파일이 없습니다 ({suffixes})"
    ),
    "{path}: no such file. In the same folder: {close}": (
        "{path}: 그런 파일이 없습니다. 같은 폴더에 있는 것: {close}"
    ),
    "{path}: no such file": "{path}: 그런 파일이 없습니다",
    "{path!r}: a file name that is not UTF-8; rename the file": (
        "{path!r}: 파일 이름이 UTF-8이 아닙니다. 이름을 바꾸십시오"
    ),
    "{path}:{line}: {found} columns where the header has {expected}": (
        "{path}:{line}: 머리글은 {expected}열인데 이 행은 {found}열입니다"
    ),
    (
        "{path}:{line}: a quote that opens in this row is never closed. A quote inside a quoted "
        'field is written twice ("")'
    ): (
        '{path}:{line}: 이 행에서 연 따옴표가 닫히지 않았습니다. 따옴표 안의 따옴표는 두 번("") '
        "씁니다"
    ),
    (
        "{path}:{line}: not CSV ({reason}). A field that holds quotes is quoted, and they are "
        'written twice ("")'
    ): (
        "{path}:{line}: 올바른 CSV가 아닙니다 ({reason}). 따옴표가 든 필드는 따옴표로 감싸고, "
        '안의 따옴표는 두 번("") 씁니다'
    ),
    "{path}:{line}: more than {limit} columns": "{path}:{line}: 열이 {limit}개를 넘습니다",
    "{path}:{line}: two columns are called {name!r}": "{path}:{line}: {name!r} 열이 둘입니다",
    # collections
    (
        "there is no collection in {folder} or above it. Make one with `kcsearch index FILE`, or "
        "name one with --collection DIR"
    ): (
        "{folder} 폴더와 그 상위에 컬렉션이 없습니다. `kcsearch index FILE`로 만들거나 "
        "--collection DIR로 지정하십시오"
    ),
    "{path} is not a collection. Make one with `kcsearch index FILE`": (
        "{path}: 컬렉션이 아닙니다. `kcsearch index FILE`로 만드십시오"
    ),
    "no document has the key {key!r}": "키가 {key!r}인 문서가 없습니다",
    "a list of strings is asked for, not the string {text!r}": (
        "문자열이 아니라 문자열 목록을 주어야 합니다: {text!r}"
    ),
    "n_lines is at least 0, not {n_lines}": "n_lines는 0 이상이어야 합니다 ({n_lines})",
    (
        "{path} was made with the model {mine}, not with {other}: they differ in {what}. Leave "
        "--model out to use its own, or index into another collection"
    ): (
        "{path}: 이 컬렉션의 모델은 {other}이(가) 아니라 {mine}입니다 (다른 점: {what}). "
        "--model을 빼면 컬렉션의 모델을 씁니다. 아니면 다른 컬렉션에 인덱싱하십시오"
    ),
    "a query is a string, not {query!r}": "검색어는 문자열이어야 합니다: {query!r}",
    "the query is empty": "검색어가 비어 있습니다",
    "top_k is at least 1, not {top_k}": "top_k는 1 이상이어야 합니다 ({top_k})",
    (
        "{path}: {n_rows} documents but {n_vectors} vectors. Run `kcsearch repair`, which keeps "
        "every document that is whole"
    ): (
        "{path}: 문서는 {n_rows}개인데 벡터는 {n_vectors}개입니다. `kcsearch repair`를 실행하면 "
        "온전한 문서는 모두 남습니다"
    ),
    "a document is a string or a kcsearch.Document, not {document!r}": (
        "문서는 문자열이나 kcsearch.Document여야 합니다: {document!r}"
    ),
    "the document {key!r} has no text: {text!r}": "문서 {key!r}에 글이 없습니다: {text!r}",
    (
        "the document {key!r} has a source that is no string, or a line that is no number: "
        "{source!r}, {line!r}"
    ): "문서 {key!r}의 source가 문자열이 아니거나 line이 숫자가 아닙니다: {source!r}, {line!r}",
    "the line number of the document {key!r} is too large": "문서 {key!r}의 줄 번호가 너무 큽니다",
    (
        "{source}:{line}: the key {key!r} was already used at {first_source}:{first_line}. "
        "Keys must be unique"
    ): (
        "{source}:{line}: 키 {key!r}을(를) {first_source}:{first_line}에서 이미 썼습니다. 키는 "
        "서로 달라야 합니다"
    ),
    "a key is a string and not empty, not {key!r}": (
        "키는 비어 있지 않은 문자열이어야 합니다: {key!r}"
    ),
    "the text of the document {key!r} holds half of a surrogate pair (no character)": (
        "문서 {key!r}의 글에 짝이 없는 서로게이트가 있습니다 (문자가 아닙니다)"
    ),
    "{text!r} is no Unicode text: its character {n} is half of a surrogate pair": (
        "{text!r}: 올바른 유니코드가 아닙니다. {n}번째 문자가 짝이 없는 서로게이트입니다"
    ),
    (
        "{path}: {reason}. The store is damaged: run `kcsearch repair`, put back a copy of it, or "
        "delete the collection's folder and index again"
    ): (
        "{path}: {reason}. 저장소가 손상되었습니다. `kcsearch repair`를 실행하거나, 백업으로 "
        "되돌리거나, 컬렉션 폴더를 지우고 다시 인덱싱하십시오"
    ),
    "{path}: the disk is full or failing ({reason}); what was committed is safe": (
        "{path}: 디스크가 가득 찼거나 고장입니다 ({reason}). 이미 저장한 것은 안전합니다"
    ),
    "{path}: another program holds the store ({reason}); try again": (
        "{path}: 다른 프로그램이 저장소를 쓰고 있습니다 ({reason}). 다시 시도하십시오"
    ),
    "{path}: cannot be opened ({reason}); check that it exists and who may write": (
        "{path}: 열 수 없습니다 ({reason}). 파일이 있는지, 쓰기 권한이 있는지 확인하십시오"
    ),
    "{path}: {reason}": "{path}: {reason}",
    "metadata is nested deeper than {limit} levels": (
        "메타데이터가 {limit}단계보다 깊이 중첩되어 있습니다"
    ),
    "metadata holds half of a surrogate pair (no character)": (
        "메타데이터에 서로게이트 쌍의 반쪽이 있습니다 (문자가 아님)"
    ),
    "metadata must be JSON values: {reason}": "메타데이터는 JSON 값이어야 합니다: {reason}",
    "{path}: the table commits is damaged. Run `kcsearch repair`, which counts again": (
        "{path}: commits 표가 손상되었습니다. `kcsearch repair`를 실행하면 다시 셉니다"
    ),
    "{file}: {key} must be a name": "{file}: {key}은(는) 이름이어야 합니다",
    "{file}: {key} must be a number": "{file}: {key}은(는) 숫자여야 합니다",
    "{file}: {key} is {n:,}; no model has more than {most:,}": (
        "{file}: {key}이(가) {n:,}입니다. {most:,}보다 큰 모델은 없습니다"
    ),
    "{path}: the table commits is empty": "{path}: commits 표가 비어 있습니다",
    (
        "{path}: row {row_id} is damaged. Run `kcsearch repair`, which keeps every document that "
        "is whole"
    ): (
        "{path}: {row_id}번 행이 손상되었습니다. `kcsearch repair`를 실행하면 온전한 문서는 모두 "
        "남습니다"
    ),
    (
        "{path}: a stored vector is not of length one. Run `kcsearch repair`, which encodes its "
        "text again"
    ): (
        "{path}: 길이가 1이 아닌 벡터가 있습니다. `kcsearch repair`를 실행하면 글을 다시 "
        "임베딩합니다"
    ),
    (
        "{path} does not fit its checksum: it is damaged, or another program wrote in it. Run "
        "`kcsearch repair`, which keeps every document that is whole"
    ): (
        "{path}: 체크섬이 맞지 않습니다. 손상되었거나 다른 프로그램이 고쳤습니다. `kcsearch "
        "repair`를 실행하면 온전한 문서는 모두 남습니다"
    ),
    (
        "{source}:{line}: the key {key!r} was already used at {first_source}:{first_line}. Keys "
        "must be unique; name another field with --key-field"
    ): (
        "{source}:{line}: 키 {key!r}은(는) {first_source}:{first_line}에서 이미 쓰였습니다. 키는 "
        "서로 달라야 합니다. --key-field로 다른 필드를 지정하십시오"
    ),
    (
        "{source}:{line}: the key {key!r} is that of {held}:{held_line}, which is in the "
        "collection. Name a field that is unique in both files with --key-field, or use another "
        "collection"
    ): (
        "{source}:{line}: 키 {key!r}은(는) 컬렉션에 있는 {held}:{held_line}의 키입니다. 두 "
        "파일에서 서로 다른 필드를 --key-field로 지정하거나 다른 컬렉션을 쓰십시오"
    ),
    "two documents have the key {key!r}. Keys must be unique": (
        "키가 {key!r}인 문서가 둘입니다. 키는 서로 달라야 합니다"
    ),
    (
        "{path}: a stored vector does not have {dim} numbers. Run `kcsearch repair`, which encodes "
        "its text again"
    ): (
        "{path}: 저장된 벡터의 차원이 {dim}이 아닙니다. `kcsearch repair`를 실행하면 글을 다시 "
        "임베딩합니다"
    ),
    (
        "the key {key!r} is taken: the parts of the long text {whole!r} are stored as {whole}#1, "
        "{whole}#2 … Give one of the two another key"
    ): (
        "키 {key!r}은(는) 이미 쓰이고 있습니다. 긴 글 {whole!r}의 조각이 {whole}#1, {whole}#2 … "
        "로 저장되어 있습니다. 둘 중 하나의 키를 바꾸십시오"
    ),
    (
        "--where {where!r}: {reason}. The columns are row_id, key, text, source, line, metadata "
        "(JSON)"
    ): (
        "--where {where!r}: {reason}. 쓸 수 있는 열: row_id, key, text, source, line, metadata "
        "(JSON)"
    ),
    (
        "{path} is not a store of kcsearch: put back a copy of it, or delete the collection's "
        "folder and index again"
    ): (
        "{path}: kcsearch의 저장소가 아닙니다. 사본으로 되돌리거나, 컬렉션 폴더를 지우고 다시 "
        "인덱싱하십시오"
    ),
    "{path} is a device, not a file": "{path}: 파일이 아니라 장치입니다",
    "the name of the folder {path!r} is not UTF-8": "폴더 이름이 UTF-8이 아닙니다: {path!r}",
    "{path}: {reason}; check that the folder exists and who may write there": (
        "{path}: {reason}. 폴더가 있는지, 쓸 권한이 있는지 확인하십시오"
    ),
    (
        "{path} was written by a newer kcsearch; it needs {needed} or later: `pip install "
        "--upgrade kcsearch`"
    ): (
        "{path}: 더 새로운 kcsearch가 만들었습니다. {needed} 이상이 필요합니다: "
        "`pip install --upgrade kcsearch`"
    ),
    (
        "{path}-wal is damaged: the last commit, which vectors.faiss shows, cannot be read. "
        "`kcsearch repair` goes on with what is left; `kcsearch index` then adds what is missing"
    ): (
        "{path}-wal 파일이 손상되어, vectors.faiss에 있는 마지막 커밋을 읽을 수 없습니다. "
        "`kcsearch repair`로 남은 내용을 이어 쓰고, 모자란 문서는 `kcsearch index`로 다시 "
        "넣으십시오"
    ),
    (
        "{path} has schema {version}, this kcsearch knows {known}: `pip install --upgrade kcsearch`"
    ): (
        "{path}: 스키마 버전이 {version}인데 이 kcsearch는 {known}까지 압니다. "
        "업그레이드하십시오: `pip install --upgrade kcsearch`"
    ),
    (
        "{folder}: another process is writing to this collection. Wait for it, or give more time "
        "with --wait SECONDS"
    ): (
        "{folder}: 다른 프로세스가 이 컬렉션에 쓰고 있습니다. 끝나기를 기다리거나 --wait "
        "SECONDS로 시간을 늘리십시오"
    ),
    (
        "{path}: cannot be locked ({reason}). The folder must be writable, on a file system that "
        "has locks"
    ): (
        "{path}: 잠글 수 없습니다 ({reason}). 쓰기 권한이 있고 잠금을 지원하는 파일 시스템이어야 "
        "합니다"
    ),
    # models and engines
    (
        "there is no model {name!r}: not a folder here, not a name such as beomi/kcbert-base. "
        "Did you mean {close}?"
    ): (
        "{name!r} 모델이 없습니다. 그런 폴더가 없고 beomi/kcbert-base 같은 이름도 아닙니다. "
        "비슷한 이름: {close}"
    ),
    (
        "there is no model {name!r}: not a folder here, not a name such as beomi/kcbert-base. "
        "`kcsearch models` lists some"
    ): (
        "{name!r} 모델이 없습니다. 그런 폴더가 없고 beomi/kcbert-base 같은 이름도 아닙니다. "
        "`kcsearch models`로 목록을 볼 수 있습니다"
    ),
    "no weights there; {names} are looked for": "가중치 파일이 없습니다. 찾는 파일: {names}",
    (
        "model {name!r} is neither a folder nor in the Hugging Face cache {cache}, and cannot be "
        "downloaded ({reason}). Use the bundled model (without --model), give the path of a "
        "folder that holds the model, or set HF_HOME to a cache that has it"
    ): (
        "{name!r} 모델은 폴더도 아니고 Hugging Face 캐시 {cache}에도 없으며, 내려받을 수도 "
        "없습니다 ({reason}). --model 없이 내장 모델을 쓰거나, 모델 폴더의 경로를 주거나, 모델이 "
        "든 캐시를 HF_HOME으로 지정하십시오"
    ),
    "{path} is missing: not a model folder": "{path} 파일이 없습니다. 모델 폴더가 아닙니다",
    "{path} is not JSON: {reason}": "{path}: JSON이 아닙니다: {reason}",
    "{path} has to hold a JSON {kind}": "{path}: JSON {kind} 값이 들어 있어야 합니다",
    "{path} cannot be read: {reason}": "{path}: 읽을 수 없습니다: {reason}",
    "{path}: pooling is {pooling!r}; kcsearch knows pooler, cls and mean": (
        "{path}: 풀링이 {pooling!r}입니다. kcsearch가 아는 풀링은 pooler, cls, mean입니다"
    ),
    "{path}: no tokenizer here; tokenizer.json or vocab.txt is needed": (
        "{path}: 토크나이저가 없습니다. tokenizer.json이나 vocab.txt가 필요합니다"
    ),
    (
        "{path} has no pooler.dense.weight, so that its pooled [CLS] vector would come from "
        "random numbers. If the model was trained for another pooling, put a file kcsearch.json "
        'with {{"pooling": "mean"}} or {{"pooling": "cls"}} beside it'
    ): (
        "{path}: pooler.dense.weight가 없어 풀링한 [CLS] 벡터가 무작위 값이 됩니다. 다른 "
        '풀링으로 학습한 모델이라면 {{"pooling": "mean"}} 또는 {{"pooling": "cls"}}를 적은 '
        "kcsearch.json 파일을 옆에 두십시오"
    ),
    (
        "{path}: {rows} rows of word embeddings, but config.json says vocab_size {vocab_size}: "
        "these files are of different models"
    ): (
        "{path}: 단어 임베딩은 {rows}행인데 config.json의 vocab_size는 {vocab_size}입니다. 서로 "
        "다른 모델의 파일입니다"
    ),
    (
        "{path}: this model brings its own program code (auto_map), which kcsearch never runs; "
        "choose a model of an architecture that transformers has"
    ): (
        "{path}: 이 모델에는 자체 프로그램 코드(auto_map)가 있습니다. kcsearch는 그런 코드를 "
        "실행하지 않습니다. transformers에 있는 구조의 모델을 고르십시오"
    ),
    (
        "{path}: kcsearch cannot run the module {kind!r} after the encoder; it reads "
        "Transformer, Pooling and Normalize"
    ): (
        "{path}: 인코더 뒤의 {kind!r} 모듈은 실행할 수 없습니다. kcsearch는 Transformer, "
        "Pooling, Normalize만 읽습니다"
    ),
    "{path}: pooling {modes}; kcsearch can do exactly one of mean and cls": (
        "{path}: 풀링 {modes}. kcsearch는 mean과 cls 중 하나만 할 수 있습니다"
    ),
    "{path}: no usable length limit in {limits}": (
        "{path}: 쓸 수 있는 길이 한도가 없습니다: {limits}"
    ),
    "{path}: config.json has no hidden_size": "{path}: config.json에 hidden_size가 없습니다",
    "{path}: its prompts leave no room for a text": (
        "{path}: 접두어가 길어 글이 들어갈 자리가 없습니다"
    ),
    "{path} gives vectors that are no numbers": "{path}: 모델이 숫자가 아닌 벡터를 냅니다",
    "{value!r} is none of {choices}": "{value!r} 대신 다음 중 하나를 쓰십시오: {choices}",
    "max_length {n} has no room for {n_special} special pieces": (
        "max_length {n}에는 특수 조각 {n_special}개가 들어갈 자리가 없습니다"
    ),
    "padding to max_length needs a max_length": (
        "max_length까지 채우려면 max_length가 있어야 합니다"
    ),
    (
        "a text of {n} pieces is longer than the model's {limit}: {start!r}… Split it into "
        "windows first"
    ): "글이 {n}조각으로 모델 한도 {limit}보다 깁니다: {start!r}… 먼저 나누십시오",
    "{path} is not a tokenizer: {reason}": "{path}: 토크나이저가 아닙니다: {reason}",
    (
        "{path} has {n_pieces} pieces, but the model has vectors for {n_rows}: these files are "
        "of different models"
    ): (
        "{path}: 조각은 {n_pieces}개인데 모델의 벡터는 {n_rows}개입니다. 서로 다른 모델의 "
        "파일입니다"
    ),
    "{path} is not UTF-8: {reason}": "{path}: UTF-8이 아닙니다: {reason}",
    "{path} is no WordPiece vocabulary: {lacks} missing": (
        "{path}: WordPiece 어휘가 아닙니다. 없는 것: {lacks}"
    ),
    (
        "character {n} of a text is half of a surrogate pair ({code}), so it is no Unicode text: "
        "{start!r}"
    ): (
        "글의 {n}번째 문자가 짝이 없는 서로게이트({code})여서 올바른 유니코드가 아닙니다: {start!r}"
    ),
    "{path}: no weights here; {names} are looked for": (
        "{path}: 가중치 파일이 없습니다. 찾는 파일: {names}"
    ),
    "{path}: weight_map has to name a file here for each tensor": (
        "{path}: weight_map에는 텐서마다 이 폴더의 파일이 적혀 있어야 합니다"
    ),
    (
        "{path} is cut short: it has {size} bytes, its header says {expected}. Copy or download "
        "it again"
    ): (
        "{path}: 파일이 잘렸습니다. 머리글에는 {expected}바이트인데 실제로는 {size}바이트입니다. "
        "다시 복사하거나 내려받으십시오"
    ),
    "{path} is a Git LFS pointer: `git lfs pull` fetches the file": (
        "{path}: Git LFS 포인터입니다. `git lfs pull`로 파일을 받으십시오"
    ),
    "{path} is damaged: copy or download it again": (
        "{path}: 파일이 손상되었습니다. 다시 복사하거나 내려받으십시오"
    ),
    "{path} is missing; {index} names it": "{path}: {index}에 적힌 파일이 없습니다",
    "{path}: not a whole safetensors file ({reason}); fetch it again": (
        "{path}: 온전한 safetensors 파일이 아닙니다 ({reason}). 다시 받으십시오"
    ),
    "{file}: not a plain BERT encoder, so no engine here reads it": (
        "{file}: 기본 BERT 인코더가 아니어서 읽을 수 있는 엔진이 없습니다"
    ),
    "{file}: hidden_size is no multiple of num_attention_heads": (
        "{file}: hidden_size가 num_attention_heads의 배수가 아닙니다"
    ),
    "{file}: {key} must be a positive number": "{file}: {key} 값은 양수여야 합니다",
    "{file}: the tensor {name} is missing": "{file}: 텐서 {name}이(가) 없습니다",
    "{file}: the tensor {name} is {found}, but config.json says {expected}": (
        "{file}: 텐서 {name}의 모양이 {found}인데 config.json으로는 {expected}입니다"
    ),
    (
        "the tokenizer gave piece {piece}, but the model has {n_words} pieces: its vocabulary "
        "belongs to another model"
    ): (
        "토크나이저가 {piece}번 조각을 냈지만 모델의 조각은 {n_words}개입니다. 다른 모델의 "
        "어휘입니다"
    ),
    "{file}: the numpy engine reads .safetensors only": (
        "{file}: numpy 엔진은 .safetensors만 읽습니다"
    ),
    "{file}: {reason}": "{file}: {reason}",
    "no device {name!r} here: {why}": "{name!r} 장치를 쓸 수 없습니다: {why}",
    "no device {name!r} here: use cpu, cuda or mps": (
        "{name!r} 장치가 없습니다. cpu, cuda, mps 중 하나를 쓰십시오"
    ),
    "torch has no device {name!r}": "torch에 {name!r} 장치가 없습니다",
    "int8 scales by batch, so that it cannot be deterministic": (
        "int8은 배치마다 눈금이 달라 결과가 항상 같을 수 없습니다"
    ),
    "precision {name!r} is none of {known}": (
        "정밀도 {name!r} 대신 다음 중 하나를 쓰십시오: {known}"
    ),
    "int8 is for the CPU only, not for {device}": (
        "int8은 CPU에서만 쓸 수 있습니다 ({device}에서는 쓸 수 없습니다)"
    ),
    "torch has no int8 matrices here; use fp32 or bf16": (
        "이 torch에는 int8 행렬 연산이 없습니다. fp32나 bf16을 쓰십시오"
    ),
    "{path} holds more than tensors; such a file can run program code, so it is not loaded": (
        "{path}: 텐서 말고 다른 것이 들어 있습니다. 그런 파일은 프로그램 코드를 실행할 수 있어 "
        "읽지 않습니다"
    ),
    "transformers cannot load {path}: {reason}": (
        "transformers가 {path} 모델을 읽지 못합니다: {reason}"
    ),
    "{path} has no {name} (of {n} missing tensors): its vectors would come from random numbers": (
        "{path}: {name}이(가) 없습니다 (없는 텐서 {n}개). 벡터가 무작위 값이 됩니다"
    ),
    # serve
    "Serve a collection over HTTP, with a page to search it.\n\n"
    "Who must send a token is told it in the variable KCSEARCH_TOKEN; without one the server "
    "listens on this machine alone.": (
        "컬렉션을 HTTP로 열고, 검색하는 웹 페이지를 함께 냅니다.\n\n"
        "토큰은 KCSEARCH_TOKEN 변수로 정합니다. 토큰이 없으면 이 컴퓨터 안에서만 받습니다."
    ),
    "The address to listen at.": "요청을 받을 주소.",
    "The port; 0 for any that is free.": "포트 번호. 0이면 비어 있는 아무 포트.",
    "Another name that the server answers to; repeatable.": (
        "서버가 응답할 다른 호스트 이름. 여러 번 쓸 수 있습니다."
    ),
    "Serve a collection to assistants by the Model Context Protocol.\n\n"
    "Over standard input and output, as assistants start it, or over HTTP.": (
        "AI 비서가 Model Context Protocol로 컬렉션을 검색하게 합니다.\n\n"
        "비서가 직접 실행할 때는 표준 입출력으로, 아니면 HTTP로 주고받습니다."
    ),
    "Over HTTP, at http://HOST:PORT/mcp.": "HTTP로, http://HOST:PORT/mcp 주소에서.",
    "Let those with the token add and delete.": "토큰을 가진 쪽이 넣고 지울 수 있게 합니다.",
    "Serving {path} at {url} (Ctrl-C ends it)": (
        "{path} 컬렉션을 {url} 에서 엽니다 (Ctrl-C로 끝냅니다)"
    ),
    "the token has at least 16 ASCII characters and no space": (
        "토큰은 공백 없는 ASCII 문자 16자 이상이어야 합니다"
    ),
    "{host} can be reached from other machines: set a token in KCSEARCH_TOKEN": (
        "{host} 주소는 다른 컴퓨터에서도 닿습니다. KCSEARCH_TOKEN에 토큰을 정하십시오"
    ),
    "--writable needs a token in KCSEARCH_TOKEN": (
        "--writable에는 KCSEARCH_TOKEN에 정한 토큰이 필요합니다"
    ),
    "cannot listen at {host}:{port} ({reason})": "{host}:{port} 에서 받을 수 없습니다 ({reason})",
    # readers of documents and tables
    "Index the rows that this query finds in an SQLite file.": (
        "SQLite 파일에서 이 질의로 찾은 행을 색인합니다."
    ),
    "--sql asks for the name of an SQLite file, not for -": (
        "--sql에는 - 대신 SQLite 파일 이름을 주십시오"
    ),
    "--sql {sql!r}: two columns have the same name; tell them apart with AS": (
        "--sql {sql!r}: 이름이 같은 열이 둘 있습니다. AS로 구별하십시오"
    ),
    "{path}: --sql {sql!r}: {reason}": "{path}: --sql {sql!r}: {reason} 오류",
    "{path}: PDF needs pypdf: pip install 'kcsearch[docs]'": (
        "{path}: PDF를 읽으려면 pypdf가 필요합니다: pip install 'kcsearch[docs]'"
    ),
    "{path}: Parquet needs pyarrow: pip install 'kcsearch[parquet]'": (
        "{path}: Parquet을 읽으려면 pyarrow가 필요합니다: pip install 'kcsearch[parquet]'"
    ),
    "{path}: is encrypted; save it without a password": (
        "{path}: 암호가 걸려 있습니다. 암호 없이 저장하십시오"
    ),
    "{path}: no PDF file, or a damaged one ({reason})": (
        "{path}: PDF 파일이 아니거나 손상되었습니다 ({reason})"
    ),
    "{path}: no Parquet file, or a damaged one ({reason})": (
        "{path}: Parquet 파일이 아니거나 손상되었습니다 ({reason})"
    ),
    "{path}: no {kind} file, or a damaged or encrypted one ({reason})": (
        "{path}: {kind} 파일이 아니거나, 손상되었거나 암호가 걸려 있습니다 ({reason})"
    ),
    "{path}: there is no text part in it": "{path}: 본문이 들어 있지 않습니다",
    "{path}: too large when unpacked": "{path}: 압축을 풀면 너무 큽니다",
    "{path}: its XML is broken ({reason})": "{path}: XML이 깨져 있습니다 ({reason})",
    "{path}: its XML is nested deeper than {limit} levels": (
        "{path}: XML이 {limit}단계보다 깊이 중첩되어 있습니다"
    ),
    "{path}: its XML has a document type declaration": (
        "{path}: XML에 문서 형식 선언(DTD)이 있어 읽지 않습니다"
    ),
    "{path}:{line}: a value of the type {kind} cannot be kept; leave its column out": (
        "{path}:{line}: {kind} 형식의 값은 저장할 수 없습니다. 그 열을 빼십시오"
    ),
    # integrations/
    (
        "{package} cannot be loaded ({reason}). Install it anew: "
        "pip install --force-reinstall 'kcsearch[{extra}]'"
    ): (
        "{package} 패키지를 불러올 수 없습니다 ({reason}). 다시 설치하십시오: "
        "pip install --force-reinstall 'kcsearch[{extra}]'"
    ),
    "the name of the collection's folder is empty": "컬렉션 폴더의 이름이 비어 있습니다",
    "this needs {package}: pip install 'kcsearch[{extra}]'": (
        "{package} 패키지가 필요합니다: pip install 'kcsearch[{extra}]'"
    ),
    "a vector of {dim} numbers is asked for, not all of them 0": (
        "숫자 {dim}개로 된 벡터여야 하고, 모두 0이어서는 안 됩니다"
    ),
    "filter {name!r}: a string, a number or a boolean is asked for, not {value!r}": (
        "필터 {name!r}: 문자열, 숫자, 참·거짓 중 하나여야 합니다. 받은 값: {value!r}"
    ),
    "no filter can name the field {name!r}": "필터에는 {name!r} 필드 이름을 쓸 수 없습니다",
    "a filter compares strings and numbers, not {value!r}": (
        "필터는 문자열과 숫자를 비교합니다. 받은 값: {value!r}"
    ),
    "the document {key!r} has no text": "문서 {key!r}에 텍스트가 없습니다",
    "give node_ids or filters; clear() deletes every node": (
        "node_ids나 filters를 주십시오. 모든 노드는 clear()로 지웁니다"
    ),
    "no query mode {mode!r} here": "{mode!r} 방식으로는 검색할 수 없습니다",
    "the query has neither a text nor an embedding": "질의에 텍스트도 임베딩도 없습니다",
    "{operator} asks for a string, not {value!r}": (
        "{operator} 연산자에는 문자열이 필요합니다. 받은 값: {value!r}"
    ),
    "{n} texts, but {m} {name}": "텍스트는 {n}개인데 {name} 항목은 {m}개입니다",
    # training
    "Adapt a model to your own texts or pairs, as a new model folder.": (
        "모델을 내 글이나 짝지은 글에 맞추어 새 모델 폴더로 만듭니다."
    ),
    "The model folder to write; a new one.": "만들 모델 폴더. 없는 이름이어야 합니다.",
    "What one passage is [default: line; paragraph in Markdown].": (
        "구절 하나의 단위 [기본값: line, Markdown은 paragraph]."
    ),
    "The field with what belongs to the text [default: texts are passages].": (
        "본문과 짝이 되는 글이 든 필드 [기본값: 본문을 구절로 봅니다]."
    ),
    "The field with what only seems to belong to it.": "짝처럼 보이지만 아닌 글이 든 필드.",
    "Times that all texts are read.": "모든 글을 읽는 횟수.",
    "Texts in a step.": "한 단계에 쓰는 글의 수.",
    "The highest learning rate.": "가장 높을 때의 학습률.",
    "Part of the texts to measure by.": "학습하지 않고 측정에만 쓰는 글의 비율.",
    "Pieces of a text that are read.": "글 하나에서 읽는 조각 수.",
    "Of all random choices.": "모든 무작위 선택의 씨앗.",
    "--negative-field needs --positive-field": "--negative-field에는 --positive-field가 필요합니다",
    "Going on at step {step}.": "{step}단계부터 이어서 합니다.",
    "Learning from {n} texts or pairs; measuring by {held_out}.": (
        "글이나 짝 {n}개로 학습하고 {held_out}개로 측정합니다."
    ),
    (
        "Interrupted at step {step} of {n}. The same command goes on from there; to give it up, "
        "remove {folder}"
    ): (
        "{n}단계 중 {step}단계에서 멈췄습니다. 같은 명령을 다시 실행하면 이어서 합니다. 그만두려면 "
        "{folder} 폴더를 지우십시오"
    ),
    "No step made it better: the new model equals the old one.": (
        "나아진 단계가 없어 새 모델은 원래 모델과 같습니다."
    ),
    "Answers among the first ten: {before} before, {after} now ({seconds} s)": (
        "정답이 상위 열 개에 든 비율: 전 {before}, 지금 {after} ({seconds}초)"
    ),
    "The model is in {path}: `kcsearch index FILE --model {path}` uses it.": (
        "모델은 {path}에 있습니다. `kcsearch index FILE --model {path}`로 씁니다."
    ),
    "step {step} of {n}: among the first ten {percent}, first {first}, loss {loss}": (
        "{n}단계 중 {step}단계: 상위 열 개 {percent}, 첫째 {first}, 손실 {loss}"
    ),
    "{n} texts or pairs to learn from are too few: at least {least} are needed": (
        "학습할 글이나 짝이 {n}개로는 너무 적습니다. 적어도 {least}개가 필요합니다"
    ),
    "{path} is there already, and nothing is overwritten: choose another name or remove it": (
        "{path}이(가) 이미 있고 덮어쓰지 않습니다. 다른 이름을 고르거나 지우십시오"
    ),
    (
        "{path}:{line}: no text in the field {field!r}, which has to hold what belongs to {text!r}"
    ): "{path}:{line}: {text!r}의 짝이 들어 있어야 할 필드 {field!r}에 글이 없습니다",
    "{path} is no checkpoint of a training run: remove it to begin anew": (
        "{path}은(는) 학습 체크포인트가 아닙니다. 지우면 처음부터 다시 합니다"
    ),
    (
        "{path} belongs to a run with other texts or options: give those again to go on with it, "
        "or remove {folder} to begin anew"
    ): (
        "{path}은(는) 다른 글이나 옵션으로 하던 학습입니다. 이어서 하려면 그때의 글과 옵션을 주고, "
        "처음부터 하려면 {folder} 폴더를 지우십시오"
    ),
}
