// A chat with the served model: each question is sent with all that was said before, and the answer is drawn as it
// comes. The API key is kept in this page alone, and is gone with it.
(function () {
    const {$, meta, make} = Page;
    const said = []; // {role, content, tokens: [{text, logprob}], mark, element, body, drawn}
    let asking = null, model = null, waiting = false;

    // ---- what has been said

    function level(logprob) {
        const p = Math.exp(logprob);
        return p >= 0.9 ? 'p0' : p >= 0.5 ? 'p1' : p >= 0.1 ? 'p2' : 'p3';
    }

    function tokenElement(token) {
        const element = make('span', 'token ' + level(token.logprob), token.text);
        element.title = 'log-probability ' + token.logprob + ', ' + (100 * Math.exp(token.logprob)).toFixed(1) + '%';
        return element;
    }

    function draw(turn) {
        const byToken = $('tokens').checked && turn.tokens.length > 0;
        if (!byToken || turn.drawn < 0) {
            turn.body.textContent = byToken ? '' : Page.visible(turn.content);
            turn.drawn = byToken ? 0 : -1;
        }
        while (byToken && turn.drawn < turn.tokens.length)
            turn.body.appendChild(tokenElement(turn.tokens[turn.drawn++]));
        turn.marked.textContent = turn.mark;
    }

    const atEnd = () => innerHeight + scrollY >= document.documentElement.scrollHeight - 40;

    function add(role, content) {
        const turn = {role, content, tokens: [], mark: '', drawn: -1};
        turn.body = make('pre', '', '');
        turn.marked = make('span', 'mark', '');
        turn.element = make('div', 'turn ' + role, null,
            [make('h2', '', role === 'user' ? 'you' : 'model'), turn.body, turn.marked]);
        said.push(turn);
        draw(turn);
        $('said').appendChild(turn.element);
        turn.element.scrollIntoView({block: 'end'});
        return turn;
    }

    function drop(count) {
        let last = null;
        while (count-- > 0 && said.length > 0) {
            last = said.pop();
            $('said').removeChild(last.element);
        }
        return last;
    }

    // One drawing for all that comes between two frames.
    function drawSoon(turn) {
        if (waiting) return;
        waiting = true;
        requestAnimationFrame(() => {
            const follow = atEnd();
            waiting = false;
            draw(turn);
            if (follow) scrollTo(0, document.documentElement.scrollHeight);
        });
    }

    // ---- the server

    function headers() {
        const all = {'Content-Type': 'application/json'};
        if ($('key').value) all.Authorization = 'Bearer ' + $('key').value;
        return all;
    }

    async function refusal(response) {
        let text = '';
        try { text = (await response.json()).error.message; } catch (error) { text = response.statusText; }
        return new Error(response.status === 401 ? 'the API key is missing or wrong; it is a field of the settings' : text);
    }

    async function findModel() {
        const response = await fetch('v1/models', {headers: headers()});
        if (!response.ok) throw await refusal(response);
        model = (await response.json()).data[0].id;
        $('model').textContent = Page.visible(model);
    }

    function question() {
        const messages = said.map(turn => ({role: turn.role, content: turn.content}));
        const body = {model, messages, stream: true, logprobs: true};
        const number = (name, field) => { if ($(name).value !== '') body[field] = Number($(name).value); };
        if ($('system').value !== '') messages.unshift({role: 'system', content: $('system').value});
        number('temperature', 'temperature');
        number('most', 'max_tokens');
        number('seed', 'seed');
        return JSON.stringify(body);
    }

    // Tokens may be parts of characters: a text belongs to the token that completes it.
    function takePiece(turn, piece, decoder) {
        const choice = piece.choices[0];
        if (!choice) return;
        turn.content += choice.delta.content || '';
        for (const token of choice.logprobs ? choice.logprobs.content : [])
            turn.tokens.push({text: decoder.decode(new Uint8Array(token.bytes || []), {stream: true}), logprob: token.logprob});
        if (choice.finish_reason === 'length') turn.mark = '(cut off: as many tokens as were asked for, or as the context holds)';
        turn.seed = piece.seed;
        drawSoon(turn);
    }

    async function readAnswer(turn, response) {
        const reader = response.body.getReader(), text = new TextDecoder(), tokens = new TextDecoder();
        for (let rest = '', ended = false; !ended;) {
            const {done, value} = await reader.read();
            ended = done;
            rest += text.decode(value || new Uint8Array(), {stream: !done});
            const events = rest.split('\n\n');
            rest = events.pop();
            for (const event of events) {
                const data = event.replace(/^data: /, '');
                if (data === '[DONE]') return;
                const piece = JSON.parse(data);
                if (piece.error) throw new Error(piece.error.message);
                takePiece(turn, piece, tokens);
            }
        }
        throw new Error('the server has closed the connection before the answer was whole');
    }

    // ---- a question

    function busy(now) {
        asking = now;
        $('stop').disabled = !now;
        $('send').disabled = $('new').disabled = $('undo').disabled = Boolean(now);
    }

    function tell(text, wrong) {
        $('status').className = wrong ? 'problem' : '';
        $('status').textContent = Page.visible(text);
    }

    // What the answer has so far stays; a question that got nothing goes back to where it was written.
    function giveUp(turn, error) {
        const stopped = error.name === 'AbortError';
        if (turn && turn.content !== '')
            turn.mark = stopped ? '(stopped)' : '(broken off)';
        else {
            drop(turn ? 1 : 0);
            $('question').value = drop(1).content;
        }
        tell(stopped ? 'stopped' : error.message, !stopped);
    }

    async function ask() {
        const text = $('question').value.replace(/\s+$/, '');
        if (asking || text === '') return;
        let turn = null;
        const begun = performance.now();
        busy(new AbortController());
        tell('waiting for the first token');
        add('user', text);
        $('question').value = '';
        try {
            if (model === null) await findModel();
            const response = await fetch('v1/chat/completions',
                {method: 'POST', headers: headers(), body: question(), signal: asking.signal});
            if (!response.ok) throw await refusal(response);
            turn = add('assistant', '');
            await readAnswer(turn, response);
            const seconds = (performance.now() - begun) / 1000;
            tell(turn.tokens.length + ' tokens in ' + seconds.toFixed(1) + ' s, seed ' + turn.seed);
        } catch (error) {
            giveUp(turn, error);
        }
        if (turn) drawSoon(turn);
        busy(null);
        $('question').focus();
    }

    $('send').addEventListener('click', ask);
    $('stop').addEventListener('click', () => asking && asking.abort());
    $('question').addEventListener('keydown', event => {
        if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
        event.preventDefault();
        ask();
    });
    $('new').addEventListener('click', () => { drop(said.length); tell(''); });
    $('undo').addEventListener('click', () => {
        const first = drop(2);
        if (first) $('question').value = first.content;
    });
    $('tokens').addEventListener('change', () => said.forEach(draw));
    $('keyed').hidden = !meta.needs_key;
    $('settings').open = meta.needs_key;
    if (!meta.needs_key) findModel().catch(error => tell(error.message, true));
})();
