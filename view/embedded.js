// What lies in the page itself: the log above this script, and below it responses, which may be many: they are listed
// when all of the page is there, and read when they are looked at.
(function () {
    const {$, all, unpacked, lazily} = Page;
    const told = error => { $('facts').textContent = error.message; };

    async function log() {
        for (const element of all('log')) View.add(await unpacked(element));
        View.draw();
    }

    async function responses() {
        const chunks = all('rows').map(element => lazily(() => unpacked(element))), entries = [];
        let last = -1, place = 0;
        for (const element of all('index'))
            for (const e of await unpacked(element)) {
                place = e[0] === last ? place + 1 : 0;
                last = e[0];
                entries.push({rows: chunks[last], place, step: e[1], held: e[2] === 1, id: e[3], sample: e[4], level: e[5],
                    source: e[6], verdict: e[7], reward: e[8]});
            }
        View.list(entries);
    }

    log().catch(told);
    document.addEventListener('DOMContentLoaded', () => responses().catch(told));
})();
