// Runs a page of ./evaluate without a browser: node page_dom.js PAGE. It has as much of a document as the page's script
// uses; the script is taken from the page. Each line of standard input is a command, and answers with a line of JSON:
//   list                the status and the titles that are shown
//   set NAME VALUE      a filter: a menu or the search by its value, a box by true or false; then as list
//   choices             the category menu
//   open N              the texts of the Nth response shown
//   click NAME          a button; then as list
'use strict';
const fs = require('fs');

class Element {
    constructor(tag) {
        Object.assign(this, {tag, className: '', children: [], own: '', listeners: {}, value: '', checked: false,
            disabled: false, open: false});
    }
    get textContent() { return this.own + this.children.map(c => c.textContent).join(''); }
    set textContent(text) { this.own = text; this.children = []; }
    appendChild(child) { this.children.push(child); return child; }
    removeChild(child) { this.children.splice(this.children.indexOf(child), 1); }
    replaceChildren(...children) { this.children = children; }
    addEventListener(name, call) { (this.listeners[name] = this.listeners[name] || []).push(call); }
    fire(name) { (this.listeners[name] || []).forEach(call => call()); }
    scrollIntoView() { }
}

const page = fs.readFileSync(process.argv[2], 'utf8');
const byId = {}, byClass = {index: [], rows: []};
let code = '';
// a script element's text ends at the first </script, as in a browser
for (const [, attributes, text] of page.matchAll(/<script([^>]*)>([\s\S]*?)<\/script/gi)) {
    const element = new Element('script');
    element.textContent = text;
    const id = /id="(\w+)"/.exec(attributes), kind = /class="(\w+)"/.exec(attributes);
    if (id) byId[id[1]] = element;
    else if (kind) byClass[kind[1]].push(element);
    else code += text;
}
for (const [, id] of page.matchAll(/<(?:input|select|button|span|div)[^>]* id="(\w+)"/g)) byId[id] = new Element('div');

const document = {
    getElementById: id => byId[id],
    getElementsByClassName: name => byClass[name],
    createElement: tag => new Element(tag)
};

const shown = () => ({status: byId.status.textContent, titles: byId.list.children.map(d => d.children[0].textContent)});
let unpacking = 0; // lists that have been asked for, and have not come yet
const json = Response.prototype.json;
Response.prototype.json = function () {
    unpacking++;
    return json.call(this).finally(() => unpacking--);
};
async function settled() {
    for (let quiet = 0; quiet < 5; quiet = unpacking > 0 ? 0 : quiet + 1) await new Promise(resolve => setImmediate(resolve));
}
async function answer(line) {
    const [command, name, ...rest] = line.split(' '), value = rest.join(' ');
    if (command === 'set') {
        byId[name].value = value;
        byId[name].checked = value === 'true';
        byId[name].fire(name === 'search' ? 'input' : 'change');
    } else if (command === 'click') {
        byId[name].fire('click');
    } else if (command === 'choices') {
        return byId.category.children.map(o => o.textContent);
    } else if (command === 'open') {
        const details = byId.list.children[Number(name)];
        details.open = true;
        details.fire('toggle');
        await settled();
        return details.children[1].children.map(part => part.textContent);
    }
    await settled();
    return shown();
}

new Function('document', 'setTimeout', 'clearTimeout', code)(document, (call, delay, ...rest) => (call(...rest), 1), () => {});

(async () => {
    await settled();
    for (const line of fs.readFileSync(0, 'utf8').split('\n').filter(l => l)) console.log(JSON.stringify(await answer(line)));
})();
