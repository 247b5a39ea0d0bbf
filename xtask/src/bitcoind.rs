use crate::{
    error::Error,
    shell::{answers, output, program, root, run as run_command},
};
use std::{
    env, fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

/// Fetches a bitcoind from Debian for the tests, without installing it.
///
/// The package bitcoin-knots and the libraries that it needs come from Debian's unstable branch into
/// target/bitcoind, about 30 MB and a few seconds. apt-get does it, with folders of its own, and takes
/// what the archive's signed index names and nothing else. With it there, `cargo xtask test` runs the
/// tests of mesh-regtest once more, on it. Where the environment variable BITCOIND names a program,
/// that one is used instead. Takes a Debian, or one with its debian-archive-keyring.
#[derive(Debug, clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:\n  cargo xtask bitcoind\n  \
        BITCOIND=$PWD/target/bitcoind/bitcoind cargo test -p mesh-regtest --features lightning --test network"
)]
pub(crate) struct Args {
    /// Fetch it though it is there: Debian may have a newer one
    #[arg(long)]
    again: bool,
}

/// The environment variable that names a bitcoind to the tests.
pub(crate) const BITCOIND: &str = "BITCOIND";

/// Debian's package with a bitcoind. Bitcoin Core's own is in the archive no more.
const PACKAGE: &str = "bitcoin-knots";

/// Whose signature is believed.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let folder = folder();
    if args.again || !fetched().exists() {
        fetch(&folder)?;
    }
    let version = output(program(fetched()).arg("-version"))?;
    let version = version.lines().next().unwrap_or_default();
    say!("bitcoind: {version} is {}", fetched().display());
    say!(
        "bitcoind: `cargo xtask test mesh-regtest` uses it from now on; see --help for a single test"
    );
    Ok(())
}

/// The bitcoind that the environment names, or else the one that was fetched.
pub(crate) fn found() -> Option<PathBuf> {
    let named = env::var_os(BITCOIND).filter(|name| !name.is_empty());
    let fetched = Some(fetched()).filter(|path| path.exists());
    named.map(PathBuf::from).or(fetched)
}

fn folder() -> PathBuf {
    root().join("target/bitcoind")
}

fn fetched() -> PathBuf {
    folder().join("bitcoind")
}

/// Makes the folder whole or not at all.
fn fetch(folder: &Path) -> Result<(), Error> {
    if !answers("apt-get", &["--version"]) {
        return Err(Error::Missing {
            what: "apt-get",
            install: "a Debian system; elsewhere, let BITCOIND name a bitcoind of your own",
        });
    }
    if !Path::new(KEYRING).exists() {
        return Err(Error::Missing {
            what: "Debian's keyring",
            install: "apt-get install debian-archive-keyring",
        });
    }
    let new = folder.with_extension("new");
    remove(&new)?;
    let apt = new.join("apt");
    download(&apt)?;
    for archive in archives(&apt.join("cache/archives"))? {
        let mut command = program("dpkg-deb");
        output(command.arg("-x").arg(archive).arg(new.join("root")))?;
    }
    remove(&apt)?;
    let script = new.join("bitcoind");
    write(&script, &start_script(&new.join("root/usr/lib"))?)?;
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(&script, executable).map_err(of(&script))?;
    remove(folder)?;
    fs::rename(&new, folder).map_err(of(folder))
}

/// Has apt-get fetch the package and all that it needs, as if nothing were installed here.
fn download(apt: &Path) -> Result<(), Error> {
    for part in ["state/lists/partial", "cache/archives/partial"] {
        let part = apt.join(part);
        fs::create_dir_all(&part).map_err(of(&part))?;
    }
    write(&apt.join("status"), "")?;
    let source = format!("deb [signed-by={KEYRING}] http://deb.debian.org/debian sid main\n");
    write(&apt.join("sources.list"), &source)?;
    let at = |name: &str, path: &str| format!("{name}={}", apt.join(path).display());
    let options = [
        at("Dir::State", "state"),
        at("Dir::State::status", "status"),
        at("Dir::Cache", "cache"),
        at("Dir::Cache::archives", "cache/archives"),
        at("Dir::Etc::sourcelist", "sources.list"),
        "Dir::Etc::sourceparts=/dev/null".to_owned(),
        "Dir::Etc::preferences=/dev/null".to_owned(),
        "Dir::Etc::preferencesparts=/dev/null".to_owned(),
        "APT::Install-Recommends=false".to_owned(),
        // All folders are ours, whoever runs this: there is nobody to lock out, and no other user to become.
        "APT::Sandbox::User=root".to_owned(),
        "Debug::NoLocking=true".to_owned(),
        "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".to_owned(),
        "Acquire::Languages=none".to_owned(),
        "Acquire::Retries=3".to_owned(),
    ];
    let apt_get = |action: &[&str]| {
        let mut command = program("apt-get");
        for option in &options {
            command.args(["-o", option]);
        }
        run_command(command.args(["-q"]).args(action))
    };
    apt_get(&["update"])?;
    apt_get(&["install", "--yes", "--download-only", PACKAGE])
}

fn archives(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = fs::read_dir(folder).map_err(of(folder))?;
    let paths = entries.map(|entry| Ok(entry.map_err(of(folder))?.path()));
    let paths: Result<Vec<_>, Error> = paths.collect();
    let is_archive = |path: &PathBuf| path.extension().is_some_and(|end| end == "deb");
    Ok(paths?.into_iter().filter(is_archive).collect())
}

/// Starts it with the loader and the libraries that it was built with: those of this system may be older.
fn start_script(libraries: &Path) -> Result<String, Error> {
    for folder in fs::read_dir(libraries).map_err(of(libraries))? {
        let folder = folder.map_err(of(libraries))?;
        let Ok(entries) = fs::read_dir(folder.path()) else {
            continue;
        };
        let mut names = entries.flatten().map(|entry| entry.file_name());
        if let Some(loader) = names.find(|name| name.to_string_lossy().starts_with("ld-linux")) {
            let (triplet, loader) = (folder.file_name(), loader);
            let (triplet, loader) = (triplet.to_string_lossy(), loader.to_string_lossy());
            return Ok(format!(
                "#!/bin/sh\n\
                 # Written by `cargo xtask bitcoind`.\n\
                 root=$(dirname \"$(readlink -f \"$0\")\")/root/usr\n\
                 lib=$root/lib/{triplet}\n\
                 exec \"$lib/{loader}\" --library-path \"$lib\" \"$root/bin/bitcoind\" \"$@\"\n"
            ));
        }
    }
    Err(Error::Malformed {
        what: PACKAGE.to_owned(),
        reason: "no loader among its libraries".to_owned(),
    })
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(of(path))
}

fn remove(folder: &Path) -> Result<(), Error> {
    if !folder.exists() {
        return Ok(());
    }
    fs::remove_dir_all(folder).map_err(of(folder))
}

fn of(path: &Path) -> impl Fn(std::io::Error) -> Error {
    move |source| Error::File {
        path: path.to_owned(),
        source,
    }
}
