//! The workspace as cargo sees it: its root, its target directory and its packages with what they depend on.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::failure::{Failure, Result};
use crate::process;

pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
    pub(crate) packages: Vec<Package>,
}

pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) directory: PathBuf,
    pub(crate) readme: Option<String>,
    pub(crate) is_library: bool,
    pub(crate) publishes: bool,
    pub(crate) dependencies: Vec<Dependency>,
}

pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) is_dev: bool,
    /// `*` when the manifest gives no version.
    pub(crate) requirement: String,
    pub(crate) has_path: bool,
}

impl Workspace {
    /// Asks cargo about the workspace this program was started in.
    pub(crate) fn load() -> Result<Self> {
        Self::load_from(Path::new("."))
    }

    /// Asks cargo about a workspace of its own below this one, which is built in the same target directory.
    pub(crate) fn nested(&self, directory: &str) -> Result<Self> {
        Ok(Self { target: self.target.clone(), ..Self::load_from(&self.root.join(directory))? })
    }

    fn load_from(directory: &Path) -> Result<Self> {
        let text = process::capture("cargo", &["metadata", "--format-version", "1", "--no-deps"], directory)?;
        let metadata: Value = serde_json::from_str(&text).map_err(Failure::while_doing("reading cargo metadata"))?;
        Ok(Self {
            root: PathBuf::from(string(&metadata, "workspace_root")?),
            target: PathBuf::from(string(&metadata, "target_directory")?),
            packages: list(&metadata, "packages")?.iter().map(Package::read).collect::<Result<_>>()?,
        })
    }

    pub(crate) fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }

    /// The packages under `crates/`: the house itself, without tests and tools.
    pub(crate) fn crates(&self) -> impl Iterator<Item = &Package> {
        let house = self.root.join("crates");
        self.packages.iter().filter(move |package| package.directory.starts_with(&house))
    }

    /// A path as people write it: relative to the root, with `/`.
    pub(crate) fn relative(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).to_string_lossy().replace('\\', "/")
    }

    /// Where `xtask` leaves what it has measured.
    pub(crate) fn reports(&self) -> Result<PathBuf> {
        let reports = self.target.join("xtask");
        std::fs::create_dir_all(&reports).map_err(Failure::while_doing(format!("creating {}", reports.display())))?;
        Ok(reports)
    }
}

impl Package {
    fn read(package: &Value) -> Result<Self> {
        let manifest = PathBuf::from(string(package, "manifest_path")?);
        let is_library = list(package, "targets")?.iter().any(|target| {
            let kinds = target.get("kind").and_then(Value::as_array).into_iter().flatten();
            kinds.filter_map(Value::as_str).any(|kind| kind == "lib" || kind == "proc-macro")
        });
        Ok(Self {
            id: string(package, "id")?,
            name: string(package, "name")?,
            version: string(package, "version")?,
            directory: manifest.parent().map(Path::to_path_buf).unwrap_or_default(),
            readme: package.get("readme").and_then(Value::as_str).map(str::to_owned),
            is_library,
            publishes: package.get("publish").is_none_or(Value::is_null),
            dependencies: list(package, "dependencies")?.iter().map(Dependency::read).collect::<Result<_>>()?,
        })
    }
}

impl Dependency {
    fn read(dependency: &Value) -> Result<Self> {
        Ok(Self {
            name: string(dependency, "name")?,
            is_dev: dependency.get("kind").and_then(Value::as_str) == Some("dev"),
            requirement: string(dependency, "req")?,
            has_path: dependency.get("path").is_some_and(Value::is_string),
        })
    }
}

fn string(value: &Value, field: &str) -> Result<String> {
    let text = value.get(field).and_then(Value::as_str);
    text.map(str::to_owned).ok_or_else(|| Failure::Failed(format!("cargo metadata has no text field `{field}`")))
}

fn list<'a>(value: &'a Value, field: &str) -> Result<&'a [Value]> {
    let items = value.get(field).and_then(Value::as_array);
    items.map(Vec::as_slice).ok_or_else(|| Failure::Failed(format!("cargo metadata has no list `{field}`")))
}
