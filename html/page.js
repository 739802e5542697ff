// What pages of ours share: elements whose text is data, and rows that lie in the page as JSON, in chunks that are
// parsed when one of them is read. Every text of data and models is set as text, never as markup.
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

    // A row that is opened on demand: its summary, and how its body is made.
    function folded(summary, body) {
        const details = make('details', '', null, [summary]);
        details.addEventListener('toggle', () => {
            if (details.open && !details.body) {
                details.body = body();
                details.appendChild(details.body);
            } else if (!details.open && details.body) {
                details.removeChild(details.body);
                details.body = null;
            }
        });
        return details;
    }

    const chunks = all('rows'), parsed = new Map();
    function rows(chunk) {
        let list = parsed.get(chunk);
        if (list === undefined) {
            list = JSON.parse(chunks[chunk].textContent);
            if (parsed.size >= KEPT) parsed.delete(parsed.keys().next().value);
            parsed.set(chunk, list);
        }
        return list;
    }

    return {$, all, meta, visible, make, folded, rows};
})();
