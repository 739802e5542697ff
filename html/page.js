// What pages of ours share: elements whose text is data, and rows that are read when one of them is looked at, since
// they lie in the page packed (html/packed.h). Every text of data and models is set as text, never as markup.
'use strict';
const Page = (function () {
    const KEPT = 8; // chunks that stay parsed
    const $ = name => document.getElementById(name);
    const all = name => Array.from(document.getElementsByClassName(name));
    const meta = JSON.parse($('meta').textContent);
    const hidden = new RegExp('[' + meta.hidden + ']', 'gu');

    // Characters that act or cannot be seen become their numbers.
    function visible(text) {
        const number = c => c.codePointAt(0).toString(16).toUpperCase().padStart(4, '0');
        return String(text).replace(hidden, c => '\\u{' + number(c) + '}');
    }

    function make(tag, kind, text, children) {
        const element = document.createElement(tag);
        if (kind) element.className = kind;
        if (text !== undefined && text !== null) element.textContent = visible(text);
        for (const child of children || []) element.appendChild(child);
        return element;
    }

    // A row that is opened on demand: its summary, and how its body is made, now or by a promise.
    function folded(summary, body) {
        const details = make('details', '', null, [summary]);
        const put = made => {
            if (!details.open || details.body) return;
            details.body = made;
            details.appendChild(made);
        };
        details.addEventListener('toggle', () => {
            if (details.open && !details.body) {
                const made = body();
                if (made.then) made.then(put, error => put(make('p', 'wrong', error.message)));
                else put(made);
            } else if (!details.open && details.body) {
                details.removeChild(details.body);
                details.body = null;
            }
        });
        return details;
    }

    // The values of an element that was packed, by a promise.
    async function unpacked(element) {
        if (typeof DecompressionStream === 'undefined')
            throw new Error('this browser is too old for the page: it has no DecompressionStream');
        const text = atob(element.textContent), bytes = new Uint8Array(text.length);
        for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
        return new Response(new Response(bytes).body.pipeThrough(new DecompressionStream('deflate'))).json();
    }

    // load() gives a promise of a list. What comes back does the same, and the lists that were asked for last stay.
    const loaded = new Map();
    function lazily(load) {
        const list = () => {
            const promise = loaded.get(list) || load();
            loaded.delete(list);
            loaded.set(list, promise);
            if (loaded.size > KEPT) loaded.delete(loaded.keys().next().value);
            return promise;
        };
        return list;
    }

    // The entries of all packed lists of this name, each with where its row is: rows() gives a promise of a list, in
    // which it is at place. The first value of an entry is the element of its row.
    async function entries(name, of) {
        const chunks = all('rows').map(element => lazily(() => unpacked(element))), list = [];
        let last = -1, place = 0;
        for (const element of all(name))
            for (const values of await unpacked(element)) {
                place = values[0] === last ? place + 1 : 0;
                last = values[0];
                list.push(Object.assign(of(values), {rows: chunks[last], place}));
            }
        return list;
    }

    return {$, all, meta, visible, make, folded, unpacked, lazily, entries};
})();
