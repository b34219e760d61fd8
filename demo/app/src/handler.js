'use strict';

const fs = require('node:fs');
const path = require('node:path');
const fault = require('./fault');

const routes = Object.assign({}, require('./health'));
for (const file of fs.readdirSync(path.join(__dirname, 'routes'))) Object.assign(routes, require(`./routes/${file}`));

function sendJson(response, status, body) {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(`${JSON.stringify(body)}\n`);
}

/** The app as one function of request and response; a route is `(services, url) => [status, body]`. */
module.exports = ({ services, pages }) =>
  async (request, response) => {
    const url = new URL(request.url, 'http://localhost');
    try {
      if (await fault.answers(url.pathname, response, services)) return;
      if (!['GET', 'HEAD'].includes(request.method)) {
        sendJson(response, 405, { error: 'method not allowed' });
      } else if (pages[url.pathname]) {
        response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
        response.end(pages[url.pathname]);
      } else if (routes[url.pathname]) {
        sendJson(response, ...(await routes[url.pathname](services, url)));
      } else {
        sendJson(response, 404, { error: 'not found' });
      }
    } catch (error) {
      console.error(`Error: ${request.method} ${url.pathname}: ${error.message}`);
      sendJson(response, 500, { status: 'error', error: 'internal error' });
    }
  };
