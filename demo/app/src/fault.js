'use strict';

/*
 * A facility of the demo and of nothing else: makes the app misbehave for real, to practise on and to test with.
 * The file named by FAULT_FILE is read at start and at each request. It holds one JSON object, or a list of them, of
 * which the first that applies is used:
 *   paths     the paths it applies to; all when it is missing
 *   instance  the number of the one instance it applies to; all when it is missing
 *   status    answer with this HTTP status
 *   delay_ms  answer this much later
 *   html      answer with an HTML page, whatever is asked for
 *   log       write this text to the error log
 *   crash     end with an error at the next start
 *   loop      compute without a pause, for as long as the file exists
 *   leak_kb   keep so much more in memory, for ever
 *   hold      take a connection to the database and never return it
 *   query     run this statement first
 */
const fs = require('node:fs');

function concernsUs(fault) {
  return fault.instance === undefined || String(fault.instance) === (process.env.NODE_APP_INSTANCE ?? '0');
}

function read() {
  try {
    return [JSON.parse(fs.readFileSync(process.env.FAULT_FILE ?? '', 'utf8'))].flat().filter(concernsUs);
  } catch {
    return []; // no file, the usual case, or one that is being written
  }
}

function atStart() {
  if (!read().some((fault) => fault.crash)) return;
  console.error('Error: fault file: told to crash at start');
  process.exit(1);
}

const kept = [];

/** So that a profile shows a name. */
function computeForEver() {
  let sum = 0;
  while (fs.existsSync(process.env.FAULT_FILE ?? '')) for (let i = 1; i < 2e7; i++) sum += Math.sqrt(i) % 3;
  return sum;
}

function keepInMemory(kilobytes) {
  for (let i = 0; i < kilobytes; i++) kept.push(Array.from({ length: 128 }, () => i + 0.5)); // 8 bytes each
}

/** True when the request has been answered by the fault. */
async function answers(path, response, { database }) {
  const fault = read().find(({ paths }) => !paths || paths.includes(path));
  if (!fault) return false;
  if (fault.log) console.error(fault.log);
  if (fault.delay_ms) await new Promise((done) => setTimeout(done, fault.delay_ms));
  if (fault.loop) computeForEver();
  if (fault.leak_kb) keepInMemory(fault.leak_kb);
  if (fault.hold) await database.connect();
  if (fault.query) await database.query(fault.query);
  if (!fault.status && !fault.html) return false;
  const status = fault.status ?? 200;
  response.writeHead(status, { 'content-type': fault.html ? 'text/html; charset=utf-8' : 'application/json' });
  response.end(fault.html ? '<!doctype html><title>Fault</title><p>Not what was asked for.</p>\n' : `${JSON.stringify({ status: 'error', error: 'fault file' })}\n`);
  return true;
}

module.exports = { answers, atStart };
