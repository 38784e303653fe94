// Drafts in IndexedDB. A draft being written has the id [name], one being sent [name, key]: a second tab can write the
// next post while the first is still on its way. Where there is no IndexedDB nothing is kept, and nothing breaks.
//
// A draft is { key, fields: [[name, value]], photos: [{ id, file }], since }; `since` is when its sending began, in ms.
// Photos have a store of their own, so that saving a letter does not write them again. A page that is going away has no time
// for a transaction: its last words wait in localStorage.

export function draftStore(name) {
  const { base = "", user } = document.documentElement.dataset;
  const lastWords = `madang${base}-draft-${user}-${name}`;
  let connection;

  function connect() {
    connection ??= open(`madang${base}-drafts-${user}`, () => (connection = null));
    return connection;
  }

  /** Runs `work` in one transaction; resolves to its result when that is stored, to null when it cannot be. */
  async function run(mode, work) {
    try {
      const db = await connect();
      return await new Promise((resolve, reject) => {
        const transaction = db.transaction(["drafts", "photos"], mode);
        transaction.oncomplete = () => resolve(result);
        transaction.onabort = () => reject(transaction.error);
        const result = work(transaction.objectStore("drafts"), transaction.objectStore("photos"), transaction);
      });
    } catch {
      return null;
    }
  }

  async function find(range) {
    const found = await run("readonly", (drafts, photos) => ({
      draft: drafts.get(range),
      ids: photos.getAllKeys(),
      files: photos.getAll(),
    }));
    const draft = found?.draft.result;
    if (!draft) return null;
    const files = new Map(found.ids.result.map((id, i) => [id, found.files.result[i]]));
    return { ...draft, photos: draft.photos.filter((id) => files.has(id)).map((id) => ({ id, file: files.get(id) })) };
  }

  /** All or nothing; resolves to whether it is stored. */
  const put = async (id, draft) =>
    null !==
    (await run("readwrite", (drafts, photos) => {
      drafts.put(record(id, draft));
      tidy(drafts, photos, draft.photos);
    }));

  /** At once, for a page that is going away: the words alone, since photos are stored when they are picked. */
  function saveHastily({ key, fields }) {
    tryStorage((storage) => storage.setItem(lastWords, JSON.stringify({ key, fields })));
  }

  const forgetHasty = () => tryStorage((storage) => storage.removeItem(lastWords));

  async function findWritten() {
    const hasty = JSON.parse(tryStorage((storage) => storage.getItem(lastWords)) ?? "null");
    const draft = await find([name]);
    return hasty ? { photos: [], ...draft, ...hasty } : draft;
  }

  const saveText = (draft) => run("readwrite", (drafts) => drafts.put(record([name], draft)));

  const removeWritten = (key) => {
    forgetHasty();
    return run("readwrite", (drafts, photos) => {
      // Another tab may have written its own draft here since.
      drafts.get([name]).onsuccess = ({ target }) => {
        if (target.result?.key === key) drafts.delete([name]);
        tidy(drafts, photos);
      };
    });
  };

  return {
    written: findWritten,
    sending: (key) => find(key ? [name, key] : IDBKeyRange.bound([name, ""], [name, []])),
    saveHastily,
    removeWritten,

    /** Resolves to whether all of it is stored. */
    async save(draft) {
      const isStored = await put([name], draft);
      if (!isStored) await saveText(draft); // no room for the photos: at least the words
      if (isStored) forgetHasty();
      return isStored;
    },

    async saveSending(draft) {
      if (await put([name, draft.key], draft)) await removeWritten(draft.key);
    },

    removeSending: (key) =>
      run("readwrite", (drafts, photos) => {
        drafts.delete([name, key]);
        tidy(drafts, photos);
      }),
  };
}

function open(name, onclose) {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("drafts", { keyPath: "id" });
      request.result.createObjectStore("photos");
    };
    request.onsuccess = () => {
      const db = request.result;
      db.onclose = onclose;
      // Another tab wants to delete or upgrade it.
      db.onversionchange = () => {
        db.close();
        onclose();
      };
      resolve(db);
    };
    request.onerror = () => reject(request.error);
  });
}

/** What `work` does with localStorage, where there is one with room. */
function tryStorage(work) {
  try {
    return work(localStorage);
  } catch {
    return null;
  }
}

const record = (id, draft) => ({ ...draft, id, photos: draft.photos.map((photo) => photo.id) });

/** Stores those of `wanted` that are not there yet, and drops the photos that no draft has any more. */
function tidy(drafts, photos, wanted = []) {
  drafts.getAll().onsuccess = ({ target }) => {
    const used = new Set(target.result.flatMap((draft) => draft.photos));
    photos.getAllKeys().onsuccess = ({ target }) => {
      const stored = new Set(target.result);
      for (const { id, file } of wanted) if (!stored.has(id)) photos.put(file, id);
      for (const id of stored) if (!used.has(id)) photos.delete(id);
    };
  };
}
