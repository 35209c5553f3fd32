using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [(name = "main", worker = .hop), (name = "data", disk = (writable = true))],
  sockets = [(name = "http", http = (), service = "main")],
);

const hop :Workerd.Worker = (
  modules = [(name = "hop.js", esModule = embed "hop.js")],
  compatibilityDate = "2026-11-01",
  bindings = [(name = "EMPTY", durableObjectNamespace = "Empty")],
  durableObjectNamespaces = [(className = "Empty", uniqueKey = "empty", enableSql = true)],
  durableObjectStorage = (localDisk = "data"),
);
