// A page in a browser without a window: node browser.js CHROMIUM FOLDER, which is for what the browser keeps. Each line of standard input
// is a command, answered by a line of JSON when it is done; the first that fails ends all with a line on standard error.
//   open WIDTH SCHEME URL   a new page, so many pixels wide, for an eye that wants SCHEME, light or dark
//   until EXPRESSION        waits until it is true in the page; half a minute without that is a failure
//   value EXPRESSION        its value
//   quiet                   fails if an error or a warning is on the console: what the page said or threw, and what did not load
// Talks to the browser by its DevTools protocol over two pipes, so no port and no package is needed.
'use strict';
const {spawn} = require('child_process'), readline = require('readline');

const browser = spawn(process.argv[2], ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run',
    '--remote-debugging-pipe', '--user-data-dir=' + process.argv[3], 'about:blank'], {stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe']});
const waiting = new Map(); // number of a request: what takes its answer
let requests = 0, session = null, target = null, complaints = [];

const kinds = ['error', 'warning', 'assert'];
const heard = {
    'Runtime.consoleAPICalled': e => kinds.includes(e.type) && e.type + ': ' + e.args.map(a => a.value || a.description).join(' '),
    'Runtime.exceptionThrown': e => 'thrown: ' + ((e.exceptionDetails.exception || {}).description || e.exceptionDetails.text),
    'Log.entryAdded': e => kinds.includes(e.entry.level) && e.entry.level + ': ' + e.entry.text + ' ' + (e.entry.url || '')
};
let rest = '';
browser.stdio[4].setEncoding('utf8');
browser.stdio[4].on('data', data => {
    const messages = (rest + data).split('\0');
    rest = messages.pop();
    for (const message of messages.map(text => JSON.parse(text))) {
        const complaint = message.sessionId === session && heard[message.method] && heard[message.method](message.params);
        if (complaint) complaints.push(complaint);
        const take = waiting.get(message.id);
        waiting.delete(message.id);
        if (take) take(message);
    }
});

async function ask(method, params, sessionId) {
    const id = ++requests;
    browser.stdio[3].write(JSON.stringify({id, method, params: params || {}, ...(sessionId ? {sessionId} : {})}) + '\0');
    const answer = await new Promise(done => waiting.set(id, done));
    if (answer.error) throw new Error(method + ': ' + answer.error.message);
    return answer.result;
}
const inPage = (method, params) => ask(method, params, session);

async function value(expression) {
    const {result, exceptionDetails} = await inPage('Runtime.evaluate', {expression, awaitPromise: true, returnByValue: true});
    if (exceptionDetails) throw new Error(expression + ': ' + (exceptionDetails.exception || {}).description);
    return result.value;
}

async function open(width, scheme, url) {
    if (target) await ask('Target.closeTarget', {targetId: target});
    target = (await ask('Target.createTarget', {url: 'about:blank'})).targetId;
    session = (await ask('Target.attachToTarget', {targetId: target, flatten: true})).sessionId;
    complaints = [];
    for (const domain of ['Page', 'Runtime', 'Log']) await inPage(domain + '.enable');
    await inPage('Emulation.setDeviceMetricsOverride', {width: Number(width), height: 900, deviceScaleFactor: 1, mobile: false});
    await inPage('Emulation.setEmulatedMedia', {features: [{name: 'prefers-color-scheme', value: scheme}]});
    const {errorText} = await inPage('Page.navigate', {url});
    if (errorText) throw new Error(url + ': ' + errorText);
}

async function until(expression) {
    for (const end = Date.now() + 30000; Date.now() < end; await new Promise(done => setTimeout(done, 20)))
        if (await value(expression).catch(() => false)) return; // between two documents there is none
    throw new Error('never: ' + expression);
}

async function main() {
    for await (const line of readline.createInterface({input: process.stdin})) {
        const [, command, text] = /^(\S+) ?(.*)$/s.exec(line);
        let answer = 'ok';
        if (command === 'open') await open(...text.split(' '));
        else if (command === 'until') await until(text);
        else if (command === 'value') answer = await value(text);
        else if (command === 'quiet' && complaints.length > 0) throw new Error('on the console: ' + complaints.join('; '));
        else if (command !== 'quiet') throw new Error('no such command: ' + command);
        console.log(JSON.stringify(answer));
    }
}

let ending = false;
function end(status) {
    ending = true;
    browser.on('exit', () => process.exit(status));
    browser.kill('SIGKILL');
}
function gone(how) {
    if (ending) return;
    console.error('the browser is gone: ' + how);
    process.exit(1);
}
browser.on('error', error => gone(error.message));
browser.on('exit', (status, signal) => gone(signal || 'status ' + status));
main().then(() => end(0), error => { console.error(error.message); end(1); });
