// What lies in the page itself: the log above this script, and below it responses, which may be many: they are listed
// when all of the page is there, and read when they are looked at.
(function () {
    const {$, all, unpacked, entries} = Page;
    const told = error => { $('facts').textContent = error.message; };

    async function log() {
        for (const element of all('log')) View.add(await unpacked(element));
        View.draw();
    }

    const entry = e => ({step: e[1], held: e[2] === 1, id: e[3], sample: e[4], level: e[5], source: e[6], verdict: e[7], reward: e[8]});

    log().catch(told);
    document.addEventListener('DOMContentLoaded', () => entries('index', entry).then(View.list).catch(told));
})();
