/** What the page may do: load what the daemon serves, connect to the daemon, and nothing else. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

/** A token may stand in its URL: nothing keeps the page, and nobody is told where its reader comes from. */
export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': POLICY,
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Frame-Options': 'DENY',
};

/** What `GET /jobs` answers. Its script and style are files of the daemon, resources/pages. */
export const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <title>websock jobs</title>
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="light dark" />
    <link rel="icon" href="/_websock/icon.svg" type="image/svg+xml" />
    <link rel="stylesheet" href="/_websock/palette.css" />
    <link rel="stylesheet" href="/_websock/theme.css" />
    <link rel="stylesheet" href="/_websock/jobs.css" />
    <script type="module" src="/_websock/jobs.js"></script>
  </head>
  <body>
    <header class="bar">
      <img src="/_websock/icon.svg" alt="" width="26" height="26" />
      <h1>websock <span>jobs</span></h1>
      <p id="link" class="link" data-state="connecting">
        <span class="dot" aria-hidden="true"></span>
        <span class="words" role="status">Connecting</span>
      </p>
    </header>
    <noscript><p class="notice">This page needs JavaScript.</p></noscript>
    <form id="open" class="open">
      <label class="title">
        <span class="unseen">Title of the job</span>
        <input name="title" placeholder="Title of the job" maxlength="200" autocomplete="off" />
      </label>
      <button type="submit" class="main">Open a job</button>
      <p id="said" class="said" role="status"></p>
    </form>
    <main id="jobs" aria-label="Jobs"></main>
    <p id="empty" class="empty" hidden>
      No jobs yet. Open one, and report to it from any script: the command to copy is shown with it.
    </p>

    <template id="job">
      <article class="job" data-state="unknown">
        <header>
          <h2></h2>
          <p class="state"><span class="dot" aria-hidden="true"></span><span class="words" role="status"></span></p>
          <button name="remove" type="button" class="quiet icon" title="Remove it from this page">
            <span aria-hidden="true">×</span>
          </button>
        </header>
        <div class="how-far">
          <progress max="100" value="0"></progress>
          <output class="percent"></output>
        </div>
        <p class="text"></p>
        <dl class="times">
          <div><dt>Started</dt><dd class="started">–</dd></div>
          <div><dt class="took">Running for</dt><dd class="elapsed">–</dd></div>
          <div><dt>Last report</dt><dd class="last">–</dd></div>
        </dl>
        <details class="result" hidden>
          <summary>Result</summary>
          <pre tabindex="0"></pre>
        </details>
        <details class="logs" hidden>
          <summary>Log <span class="count"></span></summary>
          <ol class="log" tabindex="0"></ol>
        </details>
        <details class="report">
          <summary>Report to it</summary>
          <div class="kinds">
            <fieldset>
              <legend class="unseen">What to report</legend>
              <label><input type="radio" value="progress" checked /><span>progress</span></label>
              <label><input type="radio" value="log" /><span>log</span></label>
              <label><input type="radio" value="done" /><span>done</span></label>
              <label><input type="radio" value="failed" /><span>failed</span></label>
            </fieldset>
            <button name="copy" type="button" class="quiet">Copy</button>
          </div>
          <pre class="command" tabindex="0" aria-label="Command"></pre>
          <p class="from"></p>
          <p class="id">Id <code></code> <a class="share" rel="noreferrer">page of this job alone</a></p>
        </details>
      </article>
    </template>
  </body>
</html>
`;
