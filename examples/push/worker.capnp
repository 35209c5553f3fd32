# The Worker of worker.js on workerd: SECRET=whsec_… workerd serve worker.capnp
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [(name = "function", worker = .function)],
  sockets = [(name = "http", address = "127.0.0.1:8080", http = (), service = "function")],
);

const function :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = "2026-11-01",
  bindings = [(name = "SECRET", fromEnvironment = "SECRET")],
);
