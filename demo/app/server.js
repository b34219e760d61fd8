'use strict';

const http = require('node:http');
const config = require('./src/config');
const fault = require('./src/fault');
const handler = require('./src/handler');
const pages = require('./src/pages');
const { openServices, closeServices } = require('./src/services');

fault.atStart();

const services = openServices(config.read());
const server = http.createServer(handler({ services, pages: pages.load() }));
server.keepAliveTimeout = 65_000; // longer than the proxy keeps its idle connections

server.listen(config.read().port, '127.0.0.1', () => {
  console.log(`gpt-agent ${config.version} listens on port ${config.read().port}`);
  process.send?.('ready');
});

let stopping = false;
async function stop(signal) {
  if (stopping) return;
  stopping = true;
  console.log(`${signal}: finishing open requests`);
  setTimeout(() => process.exit(1), 4_000).unref();
  server.closeIdleConnections();
  await new Promise((done) => server.close(done));
  await closeServices(services);
  process.exit(0);
}
process.on('SIGINT', () => stop('SIGINT'));
process.on('SIGTERM', () => stop('SIGTERM'));
