'use strict';

const cluster = require('node:cluster');
const { once } = require('node:events');
const http = require('node:http');
const config = require('./src/config');
const fault = require('./src/fault');
const handler = require('./src/handler');
const pages = require('./src/pages');
const { openServices, closeServices } = require('./src/services');

fault.atStart();

const services = openServices(config.read());
const answer = handler({ services, pages: pages.load() });
const unanswered = new Set();
let stopping = false;

/** Tell the client not to send another request on this connection. */
function announceEnd(response) {
  if (!response.headersSent) response.setHeader('connection', 'close');
}

const server = http.createServer((request, response) => {
  unanswered.add(response);
  response.once('close', () => unanswered.delete(response));
  if (stopping) announceEnd(response);
  return answer(request, response);
});
server.keepAliveTimeout = 65_000; // longer than the proxy keeps its idle connections

server.listen(config.read().port, '127.0.0.1', () => {
  console.log(`gpt-agent ${config.version} listens on port ${config.read().port}`);
  process.send?.('ready');
});

/**
 * Stop accepting, and answer what was accepted.
 *
 * In a cluster the primary accepts connections and may have handed one over that this process has not read yet: it would
 * never be answered if the process ended now. disconnect() closes the server, gives such connections back to the
 * primary, and waits until the primary knows that it must not send more.
 */
function drain() {
  unanswered.forEach(announceEnd);
  const drained = cluster.isWorker
    ? once(cluster.worker.disconnect(), 'disconnect')
    : new Promise((done) => server.close(done));
  // A connection whose answer had begun when the signal came is kept open by its client: close it once it is idle.
  const closing = setInterval(() => server.closeIdleConnections(), 50);
  return drained.finally(() => clearInterval(closing));
}

async function stop(signal) {
  if (stopping) return;
  stopping = true;
  console.log(`${signal}: finishing open requests`);
  setTimeout(() => process.exit(1), 5_000).unref();
  await drain();
  await closeServices(services);
  process.exit(0);
}
process.on('SIGINT', () => stop('SIGINT'));
process.on('SIGTERM', () => stop('SIGTERM'));
