// The list of responses: filters, a search, and each response opened on demand (html/page.js).
(function () {
    const RIGHT = 1, STRICT = 2, CUT_OFF = 4, FOUND = 8, DRAWN = 16, UNREADABLE = 32; // as in page.c
    const SHOWN = 100; // responses on a screen
    const KNOWN = ['task', 'id', 'question', 'sample', 'asked', 'options', 'categories', 'reference', 'text',
        'finish_reason', 'tokens', 'extracted', 'letter', 'right', 'strict', 'rule', 'found', 'readable', 'drawn',
        'by_chance'];
    const {$, meta, make, folded} = Page;

    // ---- rows

    let entries = [];
    const entryOf = e => ({task: e[1], id: e[2], sample: e[3], flags: e[4], categories: e[5], begin: e[6]});

    // ---- a response

    function fact(list, name, value) {
        list.appendChild(make('dt', '', name));
        list.appendChild(make('dd', '', value));
    }

    function options(row) {
        return make('ul', 'options', null, row.options.map((text, i) => {
            const letter = String.fromCharCode(65 + i), is = letter === row.reference, chosen = letter === row.letter;
            const note = [is ? 'the reference' : '', chosen ? 'counted as its answer' : ''].filter(s => s).join(', ');
            return make('li', is ? 'reference' : '', letter + '. ' + text + (note ? '  ← ' + note : ''));
        }));
    }

    const verdict = right => right ? 'right' : 'wrong';
    function opened(row) {
        const facts = make('dl'), categories = (row.categories || []).filter(c => c !== null);
        fact(facts, 'reference', row.reference);
        fact(facts, 'extracted', row.found ? row.extracted : 'nothing');
        if (row.letter) fact(facts, 'letter', row.letter);
        fact(facts, 'by the protocol', verdict(row.right) + (row.drawn ? ', drawn: right by chance in ' +
            (100 * row.by_chance).toFixed(1) + '%' : ''));
        fact(facts, 'strictly', verdict(row.strict) + (row.rule ? ': ' + row.rule : ''));
        if (row.found && !row.readable) fact(facts, 'readable', 'no');
        if (categories.length > 0) fact(facts, 'categories', categories.join(' · '));
        fact(facts, 'ended', (row.finish_reason === undefined ? 'unknown' : row.finish_reason) + (row.tokens === undefined || row.tokens === null ? '' :
            ' after ' + row.tokens + ' tokens'));
        for (const key of Object.keys(row))
            if (!KNOWN.includes(key)) fact(facts, key, JSON.stringify(row[key]));
        const parts = [make('h4', '', 'question'), make('pre', '', row.asked)];
        if (Array.isArray(row.options)) parts.push(options(row));
        parts.push(make('h4', '', 'response'), make('pre', 'response', row.text), make('h4', '', 'verdict'), facts);
        return make('div', 'body', null, parts);
    }

    function tags(entry) {
        const list = [], flags = entry.flags, tag = (kind, text) => list.push(make('span', 'tag ' + kind, text));
        tag(flags & RIGHT ? 'right' : 'wrong', flags & RIGHT ? '✓ right' : '✗ wrong');
        if (!(flags & RIGHT) !== !(flags & STRICT)) tag('note', 'strictly ' + verdict(flags & STRICT));
        if (flags & CUT_OFF) tag('note', 'cut off');
        if (!(flags & FOUND)) tag('note', 'no answer');
        if (flags & UNREADABLE) tag('note', 'unreadable');
        if (flags & DRAWN) tag('note', 'drawn');
        return list;
    }

    function item(entry) {
        const title = entry.task + ' ' + entry.id + (entry.sample > 0 ? ' #' + entry.sample : '');
        const summary = make('summary', '', null, tags(entry));
        summary.appendChild(make('b', '', title));
        summary.appendChild(make('span', 'begin', entry.begin));
        return folded(summary, async () => opened((await entry.rows())[entry.place]));
    }

    // ---- filters

    // A category's value in the menu: its place in `choices`, since a name may hold anything.
    const choices = [];
    function menu(select, values) {
        values.forEach(([value, text]) => {
            const option = make('option', '', text);
            option.value = value;
            select.appendChild(option);
        });
    }

    function fillMenus() {
        const seen = new Set();
        for (const entry of entries)
            entry.categories.forEach((name, field) => {
                const key = JSON.stringify([entry.task, field, name]);
                if (name === null || seen.has(key)) return;
                seen.add(key);
                choices.push({task: entry.task, field, name});
            });
        const order = (a, b) => a < b ? -1 : a > b ? 1 : 0;
        choices.sort((a, b) => order(a.task, b.task) || a.field - b.field || order(a.name, b.name));
        const fieldOf = c => ((meta.tasks[c.task] || {}).fields || [])[c.field] || 'category';
        menu($('task'), Object.keys(meta.tasks).map(task => [task, task]));
        menu($('category'), choices.map((c, i) => [String(i), c.task + ' · ' + fieldOf(c) + ': ' + c.name]));
    }

    function wanted() {
        const category = $('category').value, right = $('right').value;
        const choice = category === '' ? null : choices[Number(category)];
        return {
            text: $('search').value.trim().toLowerCase(),
            passes: entry => {
                const f = entry.flags;
                return ($('task').value === '' || entry.task === $('task').value) &&
                    (choice === null ||
                        (entry.task === choice.task && entry.categories[choice.field] === choice.name)) &&
                    (right === '' || (right === 'right') === ((f & RIGHT) !== 0)) &&
                    (!$('strict').checked || !(f & RIGHT) !== !(f & STRICT)) &&
                    (!$('cut_off').checked || (f & CUT_OFF) !== 0) &&
                    (!$('no_answer').checked || !(f & FOUND)) &&
                    (!$('drawn').checked || (f & DRAWN) !== 0);
            }
        };
    }

    function says(row, text) {
        return [row.id, row.asked, row.text, row.reference, row.extracted, row.rule].concat(row.options || [])
            .some(part => typeof part === 'string' && part.toLowerCase().includes(text));
    }

    // ---- the list

    let found = [], first = 0, search = 0;
    function render(progress) {
        const last = Math.min(first + SHOWN, found.length);
        $('list').replaceChildren(...found.slice(first, last).map(item));
        status(progress);
    }

    function status(progress) {
        const last = Math.min(first + SHOWN, found.length);
        $('status').textContent = found.length + ' of ' + entries.length + ' responses' +
            (found.length > SHOWN ? ', ' + (first + 1) + ' to ' + last : '') + (progress || '');
        $('before').disabled = first === 0;
        $('after').disabled = last >= found.length;
    }

    // Text is searched a chunk at a time, so that the page stays awake; a newer search ends an older one.
    async function scan(candidates, text, number) {
        for (let at = 0; at < candidates.length;) {
            const of = candidates[at].rows, rows = await of(), before = found.length;
            if (number !== search) return;
            for (; at < candidates.length && candidates[at].rows === of; at++)
                if (says(rows[candidates[at].place], text)) found.push(candidates[at]);
            const done = at >= candidates.length;
            const progress = done ? '' : '; searching, ' + Math.floor(100 * at / candidates.length) + '%';
            if (before < first + SHOWN && found.length > before) render(progress);
            else status(progress);
            if (!done) await new Promise(resolve => setTimeout(resolve));
        }
    }

    function update() {
        const filter = wanted(), candidates = entries.filter(filter.passes);
        search++;
        first = 0;
        found = filter.text === '' ? candidates : [];
        render();
        if (filter.text !== '') scan(candidates, filter.text, search);
    }

    function turn(by) {
        first = Math.max(0, first + by);
        render();
        $('status').scrollIntoView();
    }

    let typing = 0;
    ['task', 'category', 'right', 'strict', 'cut_off', 'no_answer', 'drawn']
        .forEach(name => $(name).addEventListener('change', update));
    $('search').addEventListener('input', () => {
        clearTimeout(typing);
        typing = setTimeout(update, 250);
    });
    $('before').addEventListener('click', () => turn(-SHOWN));
    $('after').addEventListener('click', () => turn(SHOWN));
    Page.entries('index', entryOf).then(list => {
        entries = list;
        fillMenus();
        update();
    }).catch(error => { $('status').textContent = error.message; });
})();
