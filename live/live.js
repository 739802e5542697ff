// A page of work that goes on (live/live.h): its events fill what view.js shows. WORK says what it is. Of responses the
// files of the newest steps are read, and those of earlier ones when that is asked for.
(function () {
    const {$, meta, make, folded, lazily, visible} = Page;
    const EACH = 8, ROWS = 50; // steps whose responses are read at once; rows that are shown
    const state = make('p', 'state', 'connecting …');
    state.id = 'state';
    state.setAttribute('role', 'status');
    $('facts').before(state);
    function say(kind, text) {
        state.className = 'state ' + kind;
        state.textContent = visible(text);
    }

    // ---- drawing: seldom enough to be a twentieth of this computer's time, and not under the pointer

    let waiting = null, cost = 0;
    function soon() {
        if (waiting === null) waiting = setTimeout(draw, Math.max(300, 20 * cost));
    }
    function draw() {
        waiting = null;
        if (document.hidden || $('curves').matches(':hover')) return soon();
        const begin = performance.now();
        View.draw();
        cost = performance.now() - begin;
    }

    // ---- responses of a training run

    let again = null, over = false, coming = [], unread = [], fresh = [], chain = Promise.resolve(), due = null;
    const earlier = make('button', '', 'read earlier steps');
    earlier.hidden = true;
    $('after').after(earlier);
    earlier.addEventListener('click', () => readFiles(unread.splice(-EACH)));
    $('order').value = 'new';

    function announced(row) { // a line of the log says which files there are
        const held = row.event === 'eval' && Object.keys(row).some(name => name.startsWith('eval/acc/'));
        if (!held && row['reward/mean'] === undefined) return;
        coming.push((held ? 'evaluations' : 'rollouts') + '/step-' + row.step + '.jsonl');
        if (due === null) due = setTimeout(() => {
            due = null;
            const now = coming.splice(-EACH);
            unread.push(...coming.splice(0));
            readFiles(now);
        }, 300);
    }

    async function load(name) {
        if (over) throw new Error('the program has ended, and its files are no longer sent; build/report makes a page of all of them');
        const text = await (await fetch(name)).text(), rows = [];
        for (const line of text.split('\n')) {
            if (line === '') continue;
            const row = JSON.parse(line);
            delete row.ids;
            delete row.prompt_ids;
            rows.push(row);
        }
        return rows;
    }

    async function readFile(name) {
        const rows = lazily(() => load(name)), held = name.startsWith('evaluations'), or = value => value === undefined ? null : value;
        (await rows()).forEach((row, place) => fresh.push({rows, place, step: row.step, held, id: or(row.id), sample: or(row.sample),
            level: or(row.difficulty), source: or(row.source), verdict: or(row.verdict), reward: or(row.reward),
            begin: View.beginOf(row.response)}));
    }

    function readFiles(names) { // one after the other, the newest first
        chain = chain.then(async () => {
            for (const name of names.reverse()) if (!over) await readFile(name);
            earlier.hidden = over || unread.length === 0;
            earlier.textContent = 'read earlier steps (' + unread.length.toLocaleString('en') + ' more)';
            listFresh();
        }).catch(() => {}); // the connection is gone: the events say so
    }

    function listFresh() { // not while one is read: it would close
        if (fresh.length === 0 || document.querySelector('#list details[open]')) return;
        const more = fresh;
        fresh = [];
        View.list(more);
    }
    setInterval(listFresh, 1000);

    // ---- rows of other programs

    const facts = make('p', '', ''), last = make('div'), scores = make('div');
    async function showRows() {
        const lines = (await (await fetch('rows')).text()).split('\n').slice(0, -1), items = [];
        for (const line of lines.slice(-ROWS).reverse()) {
            const found = /^\d+ [0-9a-f]{16} (\{.*)$/s.exec(line); // a line of a journal; the first may be half of one
            if (!found) continue;
            const row = JSON.parse(found[1]), text = ['text', 'problem', 'question'].map(name => row[name]).find(t => typeof t === 'string');
            const summary = make('summary', '', null, [make('b', '', row.id === undefined ? 'a row' : String(row.id)),
                make('span', 'begin', (text || '').slice(0, 140))]);
            items.push(folded(summary, () => make('div', 'body', null, [make('dl', '', null, Object.keys(row).flatMap(name =>
                [make('dt', '', name), make('dd', '', typeof row[name] === 'string' ? row[name] : JSON.stringify(row[name]))]))])));
        }
        if (items.length === 0 || last.querySelector('details[open]')) return;
        const list = make('div', '', null, items);
        list.className = 'rows';
        last.replaceChildren(make('h2', '', 'The last rows'), list);
    }

    function showProgress(p) {
        const fresh = p.done - p.before, number = value => Math.round(value).toLocaleString('en'), parts = [number(p.done) + ' of ' + number(p.total)];
        if (p.tokens >= 0) parts.push(number(p.tokens) + ' tokens', number(p.seconds > 0 ? p.tokens / p.seconds : 0) + ' tokens a second');
        else parts.push((p.seconds > 0 ? fresh / p.seconds : 0).toFixed(1) + ' answers a second');
        parts.push(p.running + ' at work');
        if (fresh > 0 && p.done < p.total) parts.push('some ' + number(p.seconds / fresh * (p.total - p.done)) + ' s left');
        facts.textContent = parts.join(' · ');
    }

    function showScores(summary) {
        const percent = v => typeof v === 'number' ? (100 * v).toFixed(1) : '';
        const cells = (tag, list) => make('tr', '', null, list.map((t, i) => make(tag, i > 0 ? 'number' : '', t)));
        scores.replaceChildren(make('h2', '', 'Scores, %'), make('div', 'wide', null, [make('table', '', null, [
            cells('th', ['task', 'score', '±', 'strict', 'questions', 'cut off']), ...Object.keys(summary).map(task => {
                const t = summary[task];
                return cells('td', [task, percent(t.score), percent(t.stderr), percent((t.strict || {}).score), String(t.count),
                    percent((t.shares || {}).cut_off)]);
            })])]));
    }

    // ---- events

    if (WORK.rows) {
        $('charts').hidden = true;
        $('facts').after(facts, scores, last);
    }
    const events = new EventSource('events');
    const on = (name, call) => events.addEventListener(name, event => call(event.data));
    events.onopen = () => say('right', '● ' + WORK.program + ' is at work');
    events.onerror = () => say('wrong', '○ no connection: ' + WORK.program + ' has ended, or cannot be reached');
    on('again', () => location.reload());
    on('log', text => {
        if (meta.starts === null && again === null) // the run's folder was not there yet when this page was made
            again = setTimeout(() => location.reload(), 2000);
        const rows = text.split('\n').map(line => JSON.parse(line));
        View.add(rows);
        rows.forEach(announced);
        soon();
    });
    on('progress', text => showProgress(JSON.parse(text)));
    let rowsDue = null;
    on('rows', () => {
        if (rowsDue === null) rowsDue = setTimeout(() => {
            rowsDue = null;
            if (!over) showRows().catch(() => {});
        }, 1000);
    });
    on('scores', text => showScores(JSON.parse(text)));
    on('ended', text => {
        const how = JSON.parse(text);
        over = true;
        earlier.hidden = true;
        events.close();
        say(how === 'done' ? 'note' : 'wrong', '■ ' + WORK.program + ' has ended: ' + how);
    });
})();
