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

// How long a client may still use a connection that is idle when the app is told to end. Node.js closes idle connections
// at once, and a request that is on its way at that moment is lost to every client that does not repeat it.
const IDLE_GRACE_MS = 1_000;
let graceEnds = Infinity;

class Server extends http.Server {
  closeIdleConnections() {
    if (Date.now() >= graceEnds) super.closeIdleConnections();
  }
}

/** Tell the client not to send another request on this connection. */
function announceEnd(response) {
  if (!response.headersSent) response.setHeader('connection', 'close');
}

const server = new Server((request, response) => {
  unanswered.add(response);
  response.once('close', () => unanswered.delete(response));
  if (stopping) announceEnd(response);
  return answer(request, response);
});
server.keepAliveTimeout = 65_000; // longer than the proxy keeps its idle connections

server.listen(config.read().port, config.read().host, () => {
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
  // Only in a cluster: there, another instance takes the new connections meanwhile.
  graceEnds = Date.now() + (cluster.isWorker ? IDLE_GRACE_MS : 0);
  const drained = cluster.isWorker
    ? once(cluster.worker.disconnect(), 'disconnect')
    : new Promise((done) => server.close(done));
  // A request during the grace is answered with 'connection: close'. What is idle after it, is closed.
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
