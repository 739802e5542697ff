// A run's page: curves, tables and the list of responses, of what it is given: add() takes rows of the log, list()
// entries of responses, draw() shows all of it. embedded.js gives what lies in the page, live/live.js what comes.
const View = (function () {
    const {$, meta, visible, make, folded} = Page;

    function shape(tag, attributes, text) {
        const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
        for (const name in attributes) element.setAttribute(name, attributes[name]);
        if (text !== undefined) element.textContent = text;
        return element;
    }

    function table(head, rows) { // the first column is text, the others are numbers
        const cells = (list, tag) => make('tr', '', null, list.map((text, i) => make(tag, i > 0 ? 'number' : '', text)));
        return make('div', 'wide', null,
            [make('table', '', null, [cells(head, 'th'), ...rows.map(row => cells(row, 'td'))])]);
    }

    function short(value) {
        if (typeof value !== 'number' || Number.isNaN(value)) return 'not finite';
        const size = Math.abs(value);
        if (size >= 10000) return Math.round(value).toLocaleString('en');
        return size !== 0 && size < 1e-3 ? value.toExponential(2) : String(Number(value.toPrecision(4)));
    }
    const percent = value => (100 * value).toFixed(1) + '%';

    // ---- the log as series: name -> {steps, values}, with null where a value was not finite

    const RECENT = 100; // steps whose rows are kept
    let series = new Map(), steps = [], evaluations = [];
    function add(log) {
        for (const row of log) {
            for (const name in row) {
                if (name === 'step' || name === 'event') continue;
                let s = series.get(name);
                if (s === undefined) series.set(name, s = {steps: [], values: []});
                s.steps.push(row.step);
                s.values.push(row[name]);
            }
            if (row.event === 'eval') evaluations.push(row);
            else if (row.event === undefined) steps.push(row);
        }
        steps = steps.slice(-RECENT);
    }

    // ---- curves. What is not of one unit has a panel of its own.

    const LEVEL = /(?:^loss_|^eval_loss_|level_)([1-5])/;
    const PANELS = [
        ['loss, nats a token', /^(loss|eval_loss)$/],
        ['reward', /^reward\/(mean|max|min)$/],
        ['parts of the reward, mean', /^reward\/(?!(?:mean|std)$)[^/]+\/mean$/],
        ['held-out answers', /^(eval\/acc\/.*|eval_exact)$/, true],
        ['held-out answers by difficulty', /^eval\/level_[1-5]\/acc\/mean@/, true],
        ['benchmarks', /^val-core\/[^/]+\/(score|acc\/mean@\d+)$/, true],
        ['verdicts, shares of responses', /^verdict\/(equal|different|unknown|no_answer|judged_yes|judged_no|unscored)$/, true],
        ['response length, tokens', /^response_length\/(mean|max|min)$/],
        ['shares: cut off, groups without a signal', /^(response_length\/clip_ratio|frac_reward_zero_std)$/, true],
        ['loss by difficulty', /^loss_[1-5]$/],
        ['held-out loss by difficulty', /^eval_loss_[1-5]$/],
        ['entropy, nats a token', /^actor\/entropy$/],
        ['KL', /^actor\/(ppo_kl|kl_loss|kl|reward_kl_penalty)$/],
        ['gradient norm', /^grad_norm$/],
        ['learning rate', /^lr$/],
        ['tokens a second', /^tokens_per_second$/],
        ['seconds of a step', /^timing_s\/(gen|update_actor|step|testing|reward)$/]];
    const titleOf = title => title.startsWith('loss,') && series.has('reward/mean') ? 'loss of the policy' : title;
    const WIDTH = 460, HEIGHT = 190, LEFT = 52, RIGHT = 8, TOP = 10, BOTTOM = 22, BUCKETS = 380;

    function tick(span, count) { // 1, 2 or 5 times a power of ten
        const power = Math.pow(10, Math.floor(Math.log10(span / count))), share = span / count / power;
        return power * (share <= 1 ? 1 : share <= 2 ? 2 : share <= 5 ? 5 : 10);
    }

    // The values to be shown; of many the extreme half per cent on either side may leave the frame.
    function frame(list, share) {
        let low = Infinity, high = -Infinity;
        for (const s of list) {
            const finite = Float64Array.from(s.values.filter(v => v !== null)).sort();
            const cut = finite.length >= 200 ? Math.floor(finite.length / 200) : 0;
            if (finite.length === 0) continue;
            low = Math.min(low, finite[cut]);
            high = Math.max(high, finite[finite.length - 1 - cut]);
        }
        if (!(high >= low)) [low, high] = [0, 1];
        if (share) [low, high] = [Math.min(low, 0), Math.max(high, 1)];
        if (high - low < 1e-9 * Math.max(Math.abs(low), Math.abs(high), 1e-300)) {
            const room = Math.abs(high) * .1 || 1;
            [low, high] = [low - room, high + room];
        } else if (!share) {
            const room = (high - low) * .04;
            [low, high] = [low === 0 ? 0 : low - room, high + room];
        }
        return [low, high];
    }

    function inside(s, from, to) {
        const keep = s.steps.map((step, i) => step >= from && step <= to ? i : -1).filter(i => i >= 0);
        return {name: s.name, color: s.color, steps: keep.map(i => s.steps[i]), values: keep.map(i => s.values[i])};
    }

    // A path; of many points the least and the greatest of each stretch.
    function path(s, x, y) {
        const stretch = Math.max(1, Math.floor(s.steps.length / BUCKETS));
        let d = '', down = false;
        for (let i = 0; i < s.steps.length; i += stretch) {
            let least = -1, greatest = -1;
            for (let j = i; j < Math.min(i + stretch, s.steps.length); j++) {
                if (s.values[j] === null) continue;
                if (least < 0 || s.values[j] < s.values[least]) least = j;
                if (greatest < 0 || s.values[j] > s.values[greatest]) greatest = j;
            }
            if (least < 0) {
                down = false;
                continue;
            }
            for (const j of new Set([Math.min(least, greatest), Math.max(least, greatest)])) {
                d += (down ? 'L' : 'M') + x(s.steps[j]).toFixed(1) + ' ' + y(s.values[j]).toFixed(1);
                down = true;
            }
        }
        return d;
    }

    function axes(svg, first, last, low, high, x, y, share) {
        const dy = tick(high - low, 4), dx = Math.max(1, tick(last - first || 1, 5));
        for (let k = Math.ceil(low / dy); k * dy <= high; k++) {
            svg.appendChild(shape('line', {class: 'grid', x1: LEFT, x2: WIDTH - RIGHT, y1: y(k * dy), y2: y(k * dy)}));
            svg.appendChild(shape('text', {x: LEFT - 6, y: y(k * dy) + 4, 'text-anchor': 'end'},
                share ? Math.round(100 * k * dy) + '%' : short(k * dy)));
        }
        for (let k = Math.ceil(first / dx); k * dx <= last; k++)
            svg.appendChild(shape('text', {x: x(k * dx), y: HEIGHT - 6,
                'text-anchor': x(k * dx) > WIDTH - 24 ? 'end' : 'middle'}, String(k * dx)));
    }

    // Triangles at the edge, above or below which values lie; each says which one.
    function marks(svg, s, low, high, x) {
        const out = s.values.map((v, i) => v !== null && (v > high || v < low) ? i : -1).filter(i => i >= 0);
        for (const i of out.slice(0, 200)) {
            const px = x(s.steps[i]), up = s.values[i] > high, py = up ? TOP : HEIGHT - BOTTOM, d = up ? 6 : -6;
            const mark = shape('path', {d: `M${px} ${py}l3.5 ${d}h-7z`, style: 'fill:' + s.color});
            mark.appendChild(shape('title', {}, 'step ' + s.steps[i] + ': ' + short(s.values[i])));
            svg.appendChild(mark);
        }
    }

    function panel(title, list, share, from, to) {
        const shown = list.map(s => inside(s, from, to)).filter(s => s.steps.length > 0);
        if (shown.length === 0) return null;
        let first = Infinity, last = -Infinity;
        for (const s of shown) {
            first = Math.min(first, s.steps[0]);
            last = Math.max(last, s.steps[s.steps.length - 1]);
        }
        const [low, high] = frame(shown, share);
        const x = step => LEFT + (last > first ? (step - first) / (last - first) : .5) * (WIDTH - LEFT - RIGHT);
        const y = v => HEIGHT - BOTTOM - (Math.min(Math.max(v, low), high) - low) / (high - low) * (HEIGHT - TOP - BOTTOM);
        const svg = shape('svg', {viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': title});
        axes(svg, first, last, low, high, x, y, share);
        for (const s of shown) {
            svg.appendChild(shape('path', {class: 'curve', d: path(s, x, y), style: 'stroke:' + s.color}));
            if (s.steps.length <= 40)
                s.steps.forEach((step, i) => s.values[i] !== null && svg.appendChild(
                    shape('circle', {cx: x(step), cy: y(s.values[i]), r: 2.2, style: 'fill:' + s.color})));
            marks(svg, s, low, high, x);
        }
        const legend = make('div', 'legend');
        const say = step => {
            const at = s => step === null ? s.steps.length - 1 : s.steps.reduce((best, v, i) =>
                Math.abs(v - step) < Math.abs(s.steps[best] - step) ? i : best, 0);
            const key = s => {
                const line = make('i');
                line.style.borderColor = s.color;
                const v = s.values[at(s)], text = s.name + ' ' + (share && v !== null ? percent(v) : short(v));
                return make('span', '', null, [line, document.createTextNode(visible(text))]);
            };
            legend.replaceChildren(...shown.map(key));
            if (step !== null) legend.appendChild(make('span', '', 'at step ' + step));
        };
        say(null);
        const cross = shape('line', {class: 'cross', y1: TOP, y2: HEIGHT - BOTTOM, visibility: 'hidden'});
        svg.appendChild(cross);
        svg.addEventListener('pointermove', event => {
            const box = svg.getBoundingClientRect(), px = (event.clientX - box.left) / box.width * WIDTH;
            const share = Math.min(1, Math.max(0, (px - LEFT) / (WIDTH - LEFT - RIGHT)));
            const wanted = first + share * (last - first), near = shown[0].steps.reduce((best, v) =>
                Math.abs(v - wanted) < Math.abs(best - wanted) ? v : best, shown[0].steps[0]);
            cross.setAttribute('x1', x(near));
            cross.setAttribute('x2', x(near));
            cross.setAttribute('visibility', 'visible');
            say(near);
        });
        svg.addEventListener('pointerleave', () => {
            cross.setAttribute('visibility', 'hidden');
            say(null);
        });
        return make('div', 'panel', null, [make('h3', '', title), legend, svg]);
    }

    const extra = []; // curves that were asked for
    function curves() {
        const number = (name, missing) => {
            const text = $(name).value.trim(), value = Number(text);
            return text === '' || !Number.isFinite(value) ? missing : value;
        };
        const names = [...series.keys()].sort();
        if ($('more').options.length <= names.length) fill($('more'), names.map(name => [name, name]));
        const from = number('from', -Infinity), to = number('to', Infinity), panels = [];
        const add = (title, names, share) => {
            const list = names.map((name, i) => {
                const level = LEVEL.exec(name);
                return {name: level ? 'level ' + level[1] : name, ...series.get(name),
                    color: level ? `var(--l${level[1]})` : `var(--c${i % 8})`};
            });
            const made = list.length > 0 ? panel(title, list, share, from, to) : null;
            if (made) panels.push(made);
        };
        for (const name of extra) add(name, [name], false);
        for (const [title, match, share] of PANELS) add(titleOf(title), [...series.keys()].filter(n => match.test(n)).slice(0, 8), share);
        $('curves').replaceChildren(...panels);
    }

    // A menu's choices, the first of which is there already. What was chosen stays.
    function fill(menu, texts) {
        while (menu.options.length > 1) menu.remove(1);
        for (const [value, text] of texts) {
            const option = make('option', '', text);
            option.value = value;
            menu.appendChild(option);
        }
    }

    $('more').addEventListener('change', () => {
        if ($('more').value !== '' && !extra.includes($('more').value)) extra.unshift($('more').value);
        $('more').value = '';
        curves();
    });
    for (const name of ['from', 'to']) $(name).addEventListener('change', curves);

    // ---- tables

    function facts() {
        const last = steps[steps.length - 1], list = [], peak = series.get('memory_bytes');
        if (last) list.push('step ' + last.step);
        if (last && last.seconds !== undefined) list.push(short(last.seconds) + ' s since this process began');
        if (peak) list.push('peak memory of the process ' + (peak.values.reduce((a, b) => Math.max(a, b), 0) / 1e9).toFixed(2) + ' GB');
        $('facts').textContent = list.join(' · ');
    }

    function times() {
        const recent = steps.slice(-100), rows = [];
        const mean = name => recent.reduce((sum, row) => sum + (row[name] || 0), 0) / recent.length;
        const whole = mean('timing_s/step');
        for (const name of series.keys())
            if (name.startsWith('timing_s/') && name !== 'timing_s/step' && mean(name) > 0)
                rows.push([name.slice(9), mean(name)]);
        rows.sort((a, b) => b[1] - a[1]);
        const parts = [];
        if (rows.length > 0) {
            if (whole > 0) rows.unshift(['step', whole]);
            parts.push(make('h2', '', 'Time, mean of the last ' + recent.length + ' steps'),
                table(['part', 's', 'share'], rows.map(([n, s]) => [n, short(s), whole > 0 ? percent(s / whole) : ''])));
        }
        if (meta.profile !== null) {
            const p = meta.profile, sums = new Map();
            for (const op of p.operations) {
                const sum = sums.get(op.operation) || {calls: 0, seconds: 0, flops: 0};
                sum.calls += op.calls;
                sum.seconds += op.seconds;
                sum.flops += op.flops || 0;
                sums.set(op.operation, sum);
            }
            const list = [...sums].sort((a, b) => b[1].seconds - a[1].seconds).map(([name, s]) => [name, String(s.calls),
                (1e3 * s.seconds).toFixed(3), percent(s.seconds / p.seconds),
                s.flops > 0 && s.seconds > 0 ? short(s.flops / s.seconds / 1e12) : '']);
            list.push(['in no operation', '', (1e3 * (p.seconds - p.kernel_seconds)).toFixed(3),
                percent(1 - p.kernel_seconds / p.seconds), '']);
            parts.push(make('h2', '', 'Step ' + p.step + ' by its operations'),
                table(['operation', 'calls', 'ms', 'share', 'TFLOP/s'], list));
        }
        $('times').replaceChildren(...parts);
    }

    function verdicts() {
        const last = steps[steps.length - 1] || {}, rows = new Map();
        const wanted = ['equal', 'different', 'unknown', 'no_answer', 'judged_yes', 'judged_no', 'unscored'];
        for (const name in last) {
            const found = /^verdict\/(?:(kind|source)\/(.*)\/)?([^/]+)$/.exec(name);
            if (!found || !wanted.includes(found[3])) continue;
            const key = found[1] ? found[1] + ': ' + found[2] : 'all';
            if (!rows.has(key)) rows.set(key, {});
            rows.get(key)[found[3]] = last[name];
        }
        if (rows.size === 0) return;
        $('verdicts').replaceChildren(make('h2', '', 'Verdicts, step ' + last.step + ', shares of responses'),
            table(['', ...wanted.map(w => w.replace('_', ' '))], [...rows].map(([name, r]) =>
                [name, ...wanted.map(w => r[w] === undefined ? '' : percent(r[w]))])));
    }

    function evaluationTable() {
        const shown = evaluations.slice(-12), names = new Set();
        for (const row of shown)
            for (const name in row)
                if (!/^(step|event|seconds|memory_bytes)$|^timing_s\/|\/(kind|source)\//.test(name)) names.add(name);
        if (names.size === 0) return;
        $('evaluations').replaceChildren(make('h2', '', 'Evaluations' + (evaluations.length > 12 ? ', the last 12' : '')),
            table(['', ...shown.map(row => 'step ' + row.step)], [...names].map(name =>
                [name, ...shown.map(row => row[name] === undefined ? '' : short(row[name]))])));
    }

    // A line for each process of the run; of the last one all that is known.
    function startTable() {
        const list = meta.starts || [];
        const last = list[list.length - 1], rows = [];
        $('starts').hidden = last === undefined;
        if (last === undefined) return;
        const fact = (name, value) => value !== undefined && rows.push(make('dt', '', name), make('dd', '', String(value)));
        fact('version', last.version);
        fact('backend', last.backend + ' (' + last.arithmetic + ')');
        fact('device', last.device);
        fact('parameters', Number(last.parameters).toLocaleString('en'));
        if (last.learn !== last.parameters) fact('of adapters, which learn', Number(last.learn).toLocaleString('en'));
        fact('ranks', last.ranks);
        for (const start of list) fact(start.step === 0 ? 'begun' : 'resumed, step ' + start.step, start.time + ', version ' + start.version);
        const wide = make('div', 'wide', null, [make('pre', 'table', last.memory)]);
        $('starts').append(make('dl', '', null, rows), make('h4', '', 'memory, as it was planned'), wide);
    }

    function optionTable() {
        if (meta.options === null) {
            $('options').hidden = true;
            return;
        }
        const rows = [];
        for (const line of meta.options.split('\n')) {
            const at = line.indexOf(' = ');
            if (line.startsWith('#')) rows.push([line.slice(1).trim(), '']);
            else if (at > 0) rows.push(['    ' + line.slice(0, at), line.slice(at + 3)]);
        }
        $('options').appendChild(make('dl', '', null, rows.flatMap(([name, value]) => [make('dt', '', name), make('dd', '', value)])));
    }

    // ---- responses

    // An entry has what the list shows of a response (step, held, id, sample, level, source, verdict, reward, and,
    // if it is at hand, begin), and where the rest is: rows() gives a promise of a list, in which it is at place.
    const SHOWN = 100, SLICE = 30, BEGIN = 140; // on a screen; milliseconds of searching at once; characters in the list
    const KNOWN = ['step', 'id', 'source', 'category', 'difficulty', 'prompt', 'reference', 'sample', 'response', 'tokens',
        'finish_reason', 'answer', 'kind', 'verdict', 'rule', 'reward', 'advantage', 'ids', 'prompt_ids'];
    const KINDS = {equal: 'right', different: 'wrong', unknown: 'note'};
    let entries = [];

    function opened(row) {
        const list = make('dl');
        const fact = (name, value) => value !== undefined && value !== null && value !== '' &&
            list.append(make('dt', '', name), make('dd', '', value));
        fact('reference', row.reference);
        fact('extracted', row.answer === undefined ? undefined : row.answer || 'nothing');
        fact('verdict', row.verdict + (row.rule ? ': ' + row.rule : ''));
        fact('kind', row.kind);
        fact('reward', row.reward);
        fact('advantage', row.advantage);
        fact('difficulty', row.difficulty);
        fact('source', row.source);
        fact('category', row.category);
        fact('ended', (row.finish_reason || 'unknown') + ' after ' + row.tokens + ' tokens');
        for (const key of Object.keys(row))
            if (!KNOWN.includes(key)) fact(key, typeof row[key] === 'string' ? row[key] : JSON.stringify(row[key]));
        return make('div', 'body', null, [make('h4', '', 'prompt'), make('pre', '', row.prompt), make('h4', '', 'response'),
            make('pre', '', row.response), make('h4', '', 'verdict and reward'), list]);
    }

    const beginOf = text => text.length > BEGIN ? text.slice(0, BEGIN) + '…' : text;
    function item(e) {
        const summary = make('summary');
        if (e.verdict !== null) summary.appendChild(make('span', 'tag ' + KINDS[e.verdict], e.verdict));
        if (e.reward !== null) summary.appendChild(make('span', 'tag', 'reward ' + short(e.reward)));
        summary.appendChild(make('b', '', (e.held ? 'held-out, ' : '') + 'step ' + e.step + ' · ' + e.id + ' #' + e.sample));
        const begin = summary.appendChild(make('span', 'begin'));
        if (e.begin !== undefined) begin.textContent = visible(e.begin);
        else e.rows().then(rows => { begin.textContent = visible(beginOf(rows[e.place].response)); }, () => {});
        return folded(summary, async () => opened((await e.rows())[e.place]));
    }

    const MENUS = [['kind', 'rollouts and held-out', e => e.held ? 'held-out problems' : 'rollouts'],
        ['step', 'all steps', e => e.step], ['verdict', 'all verdicts', e => e.verdict],
        ['level', 'all difficulties', e => e.level], ['source', 'all sources', e => e.source]];
    const choices = new Map(); // menu -> its values, by place

    function fillMenus() {
        for (const [name, , of] of MENUS) {
            const values = [...new Set(entries.map(of))].filter(v => v !== null);
            const before = choices.has(name) ? choices.get(name)[Number($(name).value) - 1] : undefined;
            values.sort((a, b) => typeof a === 'number' && typeof b === 'number' ? a - b : String(a) < String(b) ? -1 : 1);
            choices.set(name, values);
            fill($(name), values.map((value, i) =>
                [String(i + 1), name === 'level' || name === 'step' ? name + ' ' + value : value]));
            $(name).value = String(values.indexOf(before) + 1);
        }
    }

    let found = [], first = 0, search = 0;
    function show() {
        $('list').replaceChildren(...found.slice(first, first + SHOWN).map(item));
        $('before').disabled = first === 0;
        $('after').disabled = first + SHOWN >= found.length;
        $('status').textContent = found.length === 0 ? 'none of ' + entries.length :
            `${first + 1}–${Math.min(first + SHOWN, found.length)} of ${found.length.toLocaleString('en')}` +
            (found.length < entries.length ? ` (of ${entries.length.toLocaleString('en')})` : '');
    }

    function settle(list) {
        const value = e => e.reward === null ? -Infinity : e.reward;
        const orders = {new: (a, b) => b.step - a.step, high: (a, b) => value(b) - value(a), low: (a, b) => value(a) - value(b)};
        const order = orders[$('order').value];
        found = order === undefined ? list : [...list].sort(order);
        first = 0;
        show();
    }

    // Text is searched a while at a time, so that the page stays awake; a newer search ends an older one.
    async function filter() {
        const wanted = MENUS.map(([name, , of]) => [of, Number($(name).value) - 1, choices.get(name)]);
        const list = entries.filter(e => wanted.every(([of, i, values]) => i < 0 || of(e) === values[i]));
        const text = $('search').value.trim().toLowerCase(), mine = ++search, hits = [];
        if (text === '') return settle(list);
        for (let at = 0, end = 0, rows, of; at < list.length; at++) {
            if (of !== list[at].rows) rows = await (of = list[at].rows)();
            if (mine !== search) return;
            const row = rows[list[at].place];
            if ((row.response + '\n' + row.prompt).toLowerCase().includes(text)) hits.push(list[at]);
            if (performance.now() < end) continue;
            $('status').textContent = `searching: ${at.toLocaleString('en')} of ${list.length.toLocaleString('en')}`;
            await new Promise(resolve => setTimeout(resolve));
            end = performance.now() + SLICE;
        }
        if (mine === search) settle(hits);
    }

    let typing;
    $('search').addEventListener('input', () => {
        clearTimeout(typing);
        typing = setTimeout(filter, 250);
    });
    for (const name of [...MENUS.map(m => m[0]), 'order']) $(name).addEventListener('change', filter);
    const turn = by => {
        first += by;
        show();
    };
    $('before').addEventListener('click', () => turn(-SHOWN));
    $('after').addEventListener('click', () => turn(SHOWN));

    function list(more) {
        entries = entries.concat(more);
        if (entries.length === 0) return;
        $('responses').hidden = false;
        fillMenus();
        filter();
    }

    function draw() {
        facts();
        curves();
        times();
        verdicts();
        evaluationTable();
    }

    for (const [name, none] of MENUS) $(name).appendChild(make('option', '', none)).value = '0';
    startTable();
    optionTable();
    return {add, draw, list, beginOf};
})();
