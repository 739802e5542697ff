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
            for (const [chunk, step, held, id, sample, level, source, verdict, reward, begin] of await unpacked(element)) {
                place = chunk === last ? place + 1 : 0;
                last = chunk;
                entries.push({rows: chunks[chunk], place, step, held: held === 1, id, sample, level, source, verdict, reward, begin});
            }
        View.list(entries);
    }

    log().catch(told);
    document.addEventListener('DOMContentLoaded', () => responses().catch(told));
})();
