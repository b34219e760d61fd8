'use strict';

/* Says which of the needed variables are missing or malformed; never prints a value. */
const config = require('../src/config');

const found = config.problems(config.loadEnvironment());
for (const problem of found) console.error(`verify:env: ${problem}`);
if (found.length) process.exitCode = 1;
else console.log(`verify:env: ${config.required.join(', ')} are set`);
