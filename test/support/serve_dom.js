// Runs the page of ./serve without a browser: node serve_dom.js ADDRESS, which ends in a slash. It has as much of a
// document as the page's script uses, and fetches for it from that server. Each line of standard input is a command, and
// answers with a line of JSON, once what it began has ended:
//   set NAME VALUE    a field, or a box by true or false
//   click NAME        a button
//   enter             the key, in the question; begun: the same, answers when the first text is there
//   shown             the turns as [kind, text, mark], the status, and the names of disabled buttons
//   tokens            [text, class, title] of the last answer's tokens
'use strict';

class Element {
    constructor(tag) {
        Object.assign(this, {tag, className: '', children: [], own: '', listeners: {}, value: '', title: '',
            checked: false, disabled: false, hidden: false, open: false});
    }
    get textContent() { return this.own + this.children.map(c => c.textContent).join(''); }
    set textContent(text) { this.own = String(text); this.children = []; }
    set innerHTML(text) { throw new Error('the page sets markup'); }
    appendChild(child) { this.children.push(child); return child; }
    removeChild(child) { this.children.splice(this.children.indexOf(child), 1); }
    addEventListener(name, call) { (this.listeners[name] = this.listeners[name] || []).push(call); }
    fire(name, event) { return Promise.all((this.listeners[name] || []).map(call => call(event || {}))); }
    scrollIntoView() { }
    focus() { }
}

async function main(address) {
    const page = await (await fetch(address)).text();
    const byId = {};
    let code = '';
    for (const [, attributes, text] of page.matchAll(/<script([^>]*)>([\s\S]*?)<\/script/gi)) {
        const id = /id="(\w+)"/.exec(attributes);
        if (!id) code += text;
        else (byId[id[1]] = new Element('script')).textContent = text;
    }
    for (const [, tag, id, rest] of page.matchAll(/<(input|textarea|button|span|div|h1|label|details) id="(\w+)"([^>]*)/g)) {
        byId[id] = new Element(tag);
        byId[id].value = (/value="([^"]*)"/.exec(rest) || ['', ''])[1];
        byId[id].disabled = / disabled/.test(rest);
    }
    const document = {getElementById: id => byId[id], getElementsByClassName: () => [], createElement: tag => new Element(tag),
        documentElement: {scrollHeight: 0}};
    const reach = (path, options) => fetch(new URL(path, address), options);
    new Function('document', 'fetch', 'requestAnimationFrame', 'innerHeight', 'scrollY', 'scrollTo', code)(
        document, reach, call => setTimeout(call, 0), 0, 0, () => {});

    const later = milliseconds => new Promise(done => setTimeout(done, milliseconds));
    const pressed = () => byId.question.fire('keydown', {key: 'Enter', preventDefault() { }});
    const turns = () => byId.said.children;
    const idle = async () => { while (!byId.stop.disabled) await later(1); };
    for (const line of require('fs').readFileSync(0, 'utf8').split('\n').filter(l => l)) {
        const [command, name, ...rest] = line.split(' '), value = rest.join(' ');
        let answer = 'ok';
        if (command === 'set') {
            byId[name].value = value;
            byId[name].checked = value === 'true';
            await byId[name].fire('change');
        } else if (command === 'click') {
            await byId[name].fire('click');
            await idle();
        } else if (command === 'enter') {
            await pressed();
            await idle();
        } else if (command === 'begun') {
            const before = turns().length;
            await pressed();
            while (turns().length < before + 2 || turns()[before + 1].children[1].textContent === '') await later(1);
        } else if (command === 'shown') {
            await later(20); // a frame
            answer = {model: byId.model.textContent, status: byId.status.textContent, question: byId.question.value,
                turns: turns().map(t => [t.className, t.children[1].textContent, t.children[2].textContent]),
                disabled: ['send', 'stop', 'new', 'undo'].filter(id => byId[id].disabled), key_hidden: byId.keyed.hidden};
        } else if (command === 'tokens') {
            answer = turns()[turns().length - 1].children[1].children.map(t => [t.textContent, t.className, t.title]);
        }
        console.log(JSON.stringify(answer));
    }
}

main(process.argv[2]).catch(error => { console.error(error); process.exit(1); });
