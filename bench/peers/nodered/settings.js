// Node-RED without an editor to the outside; credentials lie beside the flow, in the run's own folder.
module.exports = {
  uiHost: "127.0.0.1",
  uiPort: parseInt(process.env.NODERED_PORT),
  flowFile: "flows.json",
  credentialSecret: false,
  logging: { console: { level: "warn", metrics: false, audit: false } },
};
