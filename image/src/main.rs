//! Arguments come in, a step of building the image is done, what it made is
//! printed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use sbc_image::build::{Order, binary, build};
use sbc_image::bundle;
use sbc_image::cpio;
use sbc_image::disk::Disk;
use sbc_image::fetch::{Cache, Fetched, Strictness, Unfetched};
use sbc_image::foreign::{self, Foreign};
use sbc_image::lab;
use sbc_image::lock::Lock;
use sbc_image::release::{Release, TIME};
use sbc_image::report;
use sbc_image::secure::secure;
use sbc_image::tools::Tools;
use sbc_image::tree::{Content, Tree};
use sbc_image::verify::verify;

const USAGE: &str = "usage, from the top of the repository:
  sbc-image build [--version V] [--out FOLDER] [--strict] [--keys FOLDER] [--overlay FOLDER]
                                    build the disk image; updates may be signed by the one or
                                    two NAME.pub of the folder of keys
  sbc-image assemble --rootfs FOLDER --kernel FILE [--version V] [--out FOLDER] [--keys FOLDER]
                                    the same disk from a root and a kernel that another
                                    builder made, as Buildroot does
  sbc-image binary                  build the program that goes into it, print its path
  sbc-image key FOLDER NAME         make a pair of keys, NAME.key and NAME.pub
  sbc-image bundle IMAGE KEY [FLOOR]
                                    write the update of an image beside it, signed by NAME.key;
                                    nodes that run it take nothing below the floor any more
  sbc-image volume BUNDLE OUT       lay a bundle on a volume to plug into a node
  sbc-image secure IMAGE KEY CERTIFICATE
                                    sign what UEFI starts, for Secure Boot with a key of one's
                                    own (RSA; both in PEM), in place
  sbc-image verify IMAGE            say everything that is not as it was built
  sbc-image pack IMAGE [--quick]    compress it, with sums; fails over the budget
  sbc-image unpack IMAGE FOLDER     lay the root of an image's slot A into a folder
  sbc-image lock                    write image/packages.lock with the archive's versions
  sbc-image fetch [--strict]        fetch what the lock names
  sbc-image lab                     make the lab guests' kernel and initrd, print their paths
  sbc-image cpio OUT PATH=FILE …    write an archive of files, each executable";
const LOCK: &str = "image/packages.lock";
/// Where results go, unless somebody says otherwise.
const OUT: &str = "target/firmware";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sbc-image: {error:#}");
            ExitCode::from(status(&error))
        }
    }
}

/// Returns 3 when the machine or its network lacks something, else 1: who calls
/// may go on without what could not be had.
fn status(error: &anyhow::Error) -> u8 {
    let lacking = matches!(
        error.downcast_ref(),
        Some(Unfetched::NoMirror | Unfetched::Apt { .. } | Unfetched::Absent(_))
    );
    if lacking { 3 } else { 1 }
}

fn run(words: &[&str]) -> anyhow::Result<()> {
    match words {
        ["lock"] => write_lock(),
        ["fetch"] => fetch(Strictness::Forward).map(drop),
        ["fetch", "--strict"] => fetch(Strictness::Release).map(drop),
        ["lab"] => {
            let cache = cache()?;
            let fetched = fetch(Strictness::Forward)?;
            let _held = cache.hold()?;
            let boot = lab::boot(&cache, &fetched)?;
            println!("kernel {}", boot.kernel.display());
            println!("initrd {}", boot.initrd.display());
            Ok(())
        }
        ["binary"] => {
            println!("{}", binary(&std::env::current_dir()?)?.display());
            Ok(())
        }
        ["build", rest @ ..] => build_image(rest),
        ["assemble", rest @ ..] => assemble(rest),
        ["key", folder, name] => {
            println!("{}", bundle::key(Path::new(folder), name)?.display());
            Ok(())
        }
        ["bundle", image, key, floor @ ..] if floor.len() < 2 => {
            let (image, key) = (Path::new(image), Path::new(key));
            let made = bundle::bundle(image, key, floor.first().copied())?;
            println!("{}", made.display());
            Ok(())
        }
        ["volume", bundle, out] => {
            fs::write(out, bundle::volume(&fs::read(bundle)?)?)?;
            println!("{out}");
            Ok(())
        }
        ["secure", image, key, certificate] => {
            for path in secure(Path::new(image), Path::new(key), Path::new(certificate))? {
                println!("{path}");
            }
            Ok(())
        }
        ["verify", image] => look(Path::new(image)),
        ["pack", image] => pack(Path::new(image), false),
        ["pack", image, "--quick"] => pack(Path::new(image), true),
        ["unpack", image, folder] => unpack(Path::new(image), folder),
        ["cpio", out, files @ ..] => archive(Path::new(out), files),
        _ => bail!("{USAGE}"),
    }
}

/// Takes words apart: each option of `with_value` and what follows it, and those of
/// `alone`.
fn options<'a>(
    words: &[&'a str],
    with_value: &[&str],
    alone: &[&str],
) -> anyhow::Result<BTreeMap<&'a str, &'a str>> {
    let mut found = BTreeMap::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if with_value.contains(word) {
            found.insert(*word, *words.next().context(USAGE)?);
        } else if alone.contains(word) {
            found.insert(*word, "");
        } else {
            bail!("{USAGE}");
        }
    }
    Ok(found)
}

/// Returns the version the words name, with the time all writers give.
fn release(words: &BTreeMap<&str, &str>) -> anyhow::Result<Release> {
    let version = words.get("--version").unwrap_or(&env!("CARGO_PKG_VERSION"));
    let time = match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => text.parse().context("SOURCE_DATE_EPOCH")?,
        Err(_) => TIME,
    };
    Ok(Release {
        version: (*version).to_owned(),
        time,
    })
}

/// Returns the public keys of the folder the words name.
fn keys(words: &BTreeMap<&str, &str>) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let folder = words.get("--keys").map(Path::new);
    folder.map_or_else(|| Ok(Vec::new()), bundle::public_keys)
}

fn build_image(words: &[&str]) -> anyhow::Result<()> {
    let with_value = ["--version", "--out", "--overlay", "--keys"];
    let words = options(words, &with_value, &["--strict"])?;
    let place = |name: &str, usual: &str| std::path::absolute(words.get(name).unwrap_or(&usual));
    let strictness = match words.get("--strict") {
        Some(_) => Strictness::Release,
        None => Strictness::Forward,
    };
    let order = Order {
        repository: &std::env::current_dir()?,
        release: release(&words)?,
        out: &place("--out", OUT)?,
        overlay: &place("--overlay", "buildroot-overlay/rootfs")?,
        keys: keys(&words)?,
    };
    let (cache, fetched) = (cache()?, fetch(strictness)?);
    let _held = cache.hold()?;
    println!("{}", build(&cache, &fetched, &order)?.display());
    Ok(())
}

/// Puts a disk together from what another builder made.
fn assemble(words: &[&str]) -> anyhow::Result<()> {
    let with_value = ["--rootfs", "--kernel", "--version", "--out", "--keys"];
    let words = options(words, &with_value, &[])?;
    let order = Foreign {
        rootfs: Path::new(words.get("--rootfs").context(USAGE)?),
        kernel: Path::new(words.get("--kernel").context(USAGE)?),
        release: release(&words)?,
        out: &std::path::absolute(words.get("--out").unwrap_or(&OUT))?,
        keys: keys(&words)?,
    };
    let (cache, fetched) = (cache()?, fetch(Strictness::Forward)?);
    let _held = cache.hold()?;
    println!("{}", foreign::build(&cache, &fetched, &order)?.display());
    Ok(())
}

/// Lays the files of a slot's root out, by the filesystem's own program.
fn unpack(image: &Path, folder: &str) -> anyhow::Result<()> {
    let root = Disk::open(image)?.partition("root-a")?;
    with_tools(|tools| {
        let packed = tools.scratch("root.erofs");
        fs::write(&packed, root)?;
        let (to, from) = (format!("--extract={folder}"), packed.display().to_string());
        let words = [&to, "--preserve", "--force", &from];
        tools.run("usr/bin/fsck.erofs", &words, &[]).map(drop)
    })
}

fn look(image: &Path) -> anyhow::Result<()> {
    match verify(image) {
        Ok(whole) => {
            println!("whole: root {}, disk {}", whole.root, whole.disk);
            Ok(())
        }
        Err(faults) => bail!("{}: {}", image.display(), faults.join("; ")),
    }
}

fn pack(image: &Path, quick: bool) -> anyhow::Result<()> {
    with_tools(|tools| {
        println!("{}", report::pack(tools, image, quick)?);
        Ok(())
    })
}

/// Does something with the programs that make filesystems.
fn with_tools(errand: impl FnOnce(&Tools) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let (cache, fetched) = (cache()?, fetch(Strictness::Forward)?);
    let _held = cache.hold()?;
    let scratch = std::env::temp_dir().join(format!("sbc-image-{}", std::process::id()));
    let tools = Tools::new(&cache, &fetched.lock, scratch.clone(), TIME)?;
    let done = errand(&tools);
    fs::remove_dir_all(scratch)?;
    done
}

/// Returns the folder for what was fetched and made: below the user's own cache
/// if one is named, else below `target`.
fn cache() -> anyhow::Result<Cache> {
    let own = std::env::var_os("XDG_CACHE_HOME").filter(|path| !path.is_empty());
    let folder = own.map_or_else(
        || PathBuf::from("target/image-cache"),
        |path| PathBuf::from(path).join("sbc-image"),
    );
    Ok(Cache::new(std::path::absolute(folder)?))
}

fn fetch(strictness: Strictness) -> anyhow::Result<Fetched> {
    let cache = cache()?;
    let _held = cache.hold()?;
    let text = fs::read_to_string(LOCK).with_context(|| format!("{LOCK}\n{USAGE}"))?;
    let fetched = cache.fetch(&text.parse::<Lock>()?, strictness)?;
    if !fetched.differs.is_empty() {
        eprintln!(
            "sbc-image: NOT WHAT THE LOCK SAYS, the archive has dropped it: {}",
            fetched.differs.join(", ")
        );
    }
    Ok(fetched)
}

fn write_lock() -> anyhow::Result<()> {
    let cache = cache()?;
    let _held = cache.hold()?;
    let lock = cache.current()?;
    fs::write(LOCK, lock.to_string()).context(LOCK)?;
    println!("{LOCK}: {} packages", lock.packages.len());
    Ok(())
}

fn archive(out: &Path, files: &[&str]) -> anyhow::Result<()> {
    let mut tree = Tree::new();
    for file in files {
        let (path, from) = file.split_once('=').context(USAGE)?;
        tree.put(path, 0o755, Content::From(PathBuf::from(from)));
    }
    let mut file = fs::File::create(out).with_context(|| out.display().to_string())?;
    cpio::write(&tree, &mut file)?;
    Ok(())
}
