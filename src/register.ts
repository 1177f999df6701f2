/** Lets Node import TypeScript, as the daemon does: `node --import websock/register --test app.test.ts`. */
// oxlint-disable-next-line import/no-unassigned-import -- it is there for its effect: it registers a loader
import 'jiti/register';
