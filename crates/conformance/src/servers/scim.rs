//! A platform that speaks SCIM 2.0, by people who have nothing to do with us: scim2-server, which keeps what it is given in
//! memory. `./test` puts it, with all it needs in pinned versions, into a folder of its own below the build's.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::{
    cache_folder, free_port,
    instance::{Ending, Instance},
    left_out,
};

/// Our own extension, as its page publishes it.
const EXTENSION: &str = include_str!("../../../../docs/scim-schema.json");
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// How a SCIM server is to be.
#[derive(Clone, Copy, Debug, Default)]
pub struct ScimBuilder {
    has_extension: bool,
    has_no_patch: bool,
    has_no_etag: bool,
}

/// A SCIM server.
pub struct Scim {
    // It ends with this value.
    _instance: Instance,
    port: u16,
}

impl ScimBuilder {
    /// With our own extension of users and groups.
    #[must_use]
    pub fn extension(mut self) -> Self {
        self.has_extension = true;
        self
    }

    /// It says that it has no PATCH.
    #[must_use]
    pub fn no_patch(mut self) -> Self {
        self.has_no_patch = true;
        self
    }

    /// It does not tell the forms of a resource apart.
    #[must_use]
    pub fn no_etag(mut self) -> Self {
        self.has_no_etag = true;
        self
    }

    /// Starts it. None when it is not here.
    pub fn start(self) -> Option<Scim> {
        let folder = cache_folder().join("scim2-server");
        let program = folder.join("bin/scim2-server");
        if !program.exists() {
            left_out(&format!("{} is not here: ./test puts it there", program.display()));
            return None;
        }
        let mut instance = Instance::new(Ending::Group("KILL"));
        let mut options = self.files(&instance, &resources(&folder));
        options.extend(["--bearer-token".into(), Scim::TOKEN.into(), "--hostname".into(), "127.0.0.1".into()]);
        let started = (0..3).find_map(|_| {
            let port = free_port();
            let text = port.to_string();
            let mut command = vec![program.to_str()?];
            command.extend(options.iter().map(String::as_str));
            command.extend(["--port", &text]);
            instance.start(&command, || TcpStream::connect(("127.0.0.1", port)).is_ok()).then_some(port)
        });
        let port = started.unwrap_or_else(|| panic!("scim2-server does not start\n{}", instance.said()));
        Some(Scim { _instance: instance, port })
    }

    fn files(self, instance: &Instance, resources: &Path) -> Vec<String> {
        let read = |name: &str| -> Value {
            let text = fs::read_to_string(resources.join(name)).expect("the package has its files");
            serde_json::from_str(&text).expect("they are JSON")
        };
        let mut schemas = read("default-schemas.json");
        let mut types = read("default-resource-types.json");
        let mut config = read("default-service-provider-config.json");
        if self.has_extension {
            let own: Value = serde_json::from_str(EXTENSION).expect("our own schema is JSON");
            let id = own["id"].clone();
            schemas.as_array_mut().expect("a list").push(own);
            for of in types.as_array_mut().expect("a list") {
                let mut extensions = of["schemaExtensions"].as_array().cloned().unwrap_or_default();
                extensions.push(json!({ "schema": id, "required": false }));
                of["schemaExtensions"] = extensions.into();
            }
        }
        config["patch"]["supported"] = (!self.has_no_patch).into();
        config["etag"]["supported"] = (!self.has_no_etag).into();
        let files = [("schema", schemas), ("resource-type", types), ("service-provider-config", config)];
        let options = files.into_iter().flat_map(|(name, value)| {
            let path = instance.write(&format!("{name}.json"), &value.to_string());
            [format!("--{name}"), path.display().to_string()]
        });
        options.collect()
    }
}

impl Scim {
    /// What lets somebody in.
    pub const TOKEN: &str = "kit-token-0123456789";

    /// Starts one as it comes. None when it is not here.
    pub fn start() -> Option<Self> {
        Self::builder().start()
    }

    /// One that is to be otherwise.
    pub fn builder() -> ScimBuilder {
        ScimBuilder::default()
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/v2", self.port)
    }

    /// Makes a request, such as `POST` to `Users`, and gives what came.
    ///
    /// # Panics
    /// When the server refuses it.
    pub fn request(&self, method: &str, path: &str, content: Option<&Value>) -> Value {
        let content = content.map(Value::to_string).unwrap_or_default();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it runs");
        let head = format!(
            "{method} /v2/{path} HTTP/1.0\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/scim+json\r\nContent-Length: {}\r\n\r\n",
            Self::TOKEN,
            content.len()
        );
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(content.as_bytes())).expect("it listens");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).unwrap_or_default();
        assert!(status.starts_with('2'), "{method} {path}: {answer}");
        serde_json::from_str(body).unwrap_or_default()
    }

    /// Makes one attribute of a resource another.
    ///
    /// # Panics
    /// When the server refuses it.
    pub fn set(&self, path: &str, attribute: &str, value: &Value) {
        let operation = json!({ "op": "replace", "path": attribute, "value": value });
        let schema = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
        self.request("PATCH", path, Some(&json!({ "schemas": [schema], "Operations": [operation] })));
    }

    /// The path of an attribute of the extension for enterprises.
    pub fn enterprise(attribute: &str) -> String {
        format!("{ENTERPRISE}:{attribute}")
    }
}

/// Where the package keeps its schemas.
fn resources(folder: &Path) -> PathBuf {
    let libraries = fs::read_dir(folder.join("lib")).expect("the folder is one of Python's").flatten();
    let mut found = libraries.map(|library| library.path().join("site-packages/scim2_server/resources"));
    found.find(|path| path.exists()).expect("the package has its files")
}
