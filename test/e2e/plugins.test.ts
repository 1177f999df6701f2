import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { clientFrame, RawPeer } from '../support/rawpeer.ts';
import { WebPeer } from '../support/webpeer.ts';

/** A resource file that misbehaves as `body` says, when it is asked to. */
function misbehaving(body: string): string {
  return `import { Resource } from 'websock';
export default class Misbehaving extends Resource {
  onData(client, message) {
    if (message === 'fine') { client.send('fine'); return undefined; }
    ${body}
  }
  onError(client, error) { this.log('onError: ' + (error?.message ?? error)); }
  onClose(client, code) { this.log('onClose: ' + code); }
}`;
}

const RESOURCES: Record<string, string> = {
  // Good ones, one of each kind of file.
  'typed.ts': `import { Resource, type Client } from 'websock';
    import { shout } from './lib/shout.ts';
    export default class Typed extends Resource {
      static override accepts = ['ws', 'tcp'] as const;
      override onData(client: Client, message: string | Buffer): void { client.send(shout(String(message))); }
    }`,
  'lib/shout.ts': 'export const shout = (text: string): string => `${text}!`;',
  'lib/package.json': '{}',
  'script.js': `import { Resource } from 'websock';
    export default class Script extends Resource { onData(client, m) { client.send('js ' + m); } }`,
  'module.mjs': `import { Resource } from 'websock';
    export default class Module extends Resource { onData(client, m) { client.send('mjs ' + m); } }`,
  'common.cjs': `const { Resource } = require('websock');
    module.exports = class Common extends Resource { onData(client, m) { client.send('cjs ' + m); } };`,
  'bare.mjs': `export default class Bare {
      onData = (client, m) => { client.send('bare ' + m); };
      onClose() {}
      onError() {}
      onOther() {}
    }`,
  // Bad ones that load.
  'throws.mjs': misbehaving("throw new Error('it threw');"),
  'throws-undefined.mjs': misbehaving('throw undefined;'),
  'rejects.mjs': misbehaving("return Promise.reject(new Error('it rejected'));"),
  'never.mjs': misbehaving('return new Promise(() => {});'),
  'later.mjs': misbehaving("setTimeout(() => { throw new Error('thrown later'); }); return undefined;"),
  'stray.mjs': misbehaving("Promise.reject(new Error('rejected by nobody')); return undefined;"),
  'worse.mjs': `import { Resource } from 'websock';
    export default class Worse extends Resource {
      onOpen() { throw new Error('onOpen threw'); }
      onError() { throw new Error('onError threw'); }
      onClose() { return Promise.reject(new Error('onClose rejected')); }
    }`,
  // Bad ones that do not.
  'object.mjs': 'export default { onData() {}, onClose() {}, onError() {}, onOther() {} };\n',
  'arrow.mjs': 'export default () => {};\n',
  'nothing.mjs': 'export const x = 1;\n',
  'lacks.mjs': 'export default class Lacks { onData() {} onClose() {} onError() {} }\n',
  'syntax.ts': 'const fine = 1;\n\nexport default class Syntax {\n  onData( { }\n}\n',
  'syntax.mjs': 'const fine = 1;\n\nexport default class Syntax {\n  onData( { }\n}\n',
  'top.mjs': "const first = 1;\n\n\nthrow new Error('thrown while loading');\n",
  'constructor.mjs': `import { Resource } from 'websock';
    export default class Constructor extends Resource {
      constructor() { super(); throw new Error('no instance'); }
    }`,
  'imports.mjs': "import './not-there.mjs';\nexport default class {}\n",
  'taken.mjs': `import { Resource } from 'websock';
    export default class Taken extends Resource { static path = '/module'; }`,
  'accepts.mjs': `import { Resource } from 'websock';
    export default class Accepts extends Resource { static accepts = ['http']; }`,
  'readme.md': '# not a resource',
  'types.d.ts': 'export {};',
};
const GOOD = ['/bare', '/common', '/module', '/script', '/typed'];

let daemon: RunningDaemon;
let url: string;

beforeAll(async () => {
  daemon = await startDaemon({ ini: '[limits]\nhandlerTimeout=0.3\ncloseTimeout=0.5', resources: RESOURCES });
  url = `ws://127.0.0.1:${daemon.port}`;
});

afterAll(() => daemon.dispose());

async function othersServe(): Promise<void> {
  for (const path of GOOD) {
    const web = await WebPeer.open(url + path);
    web.send('hello');
    expect(await web.text()).toContain('hello');
    expect((await web.packet()).opcode).toBe('next');
    await web.close();
  }
}

describe('a folder of good and bad files', () => {
  test('what can be served is registered, and nothing else', async () => {
    await daemon.said(/Registered resource : \/worse\n/);
    const registered = [...daemon.out.matchAll(/; Registered resource : (\S+)\n/g)].map((match) => match[1]);
    const loads = ['/later', '/never', '/rejects', '/stray', '/throws', '/throws-undefined', '/worse'];
    expect(registered.toSorted()).toEqual([...GOOD, ...loads].toSorted());
  });

  test('.ts, .js, .mjs and .cjs each serve, and so does a class that extends nothing', async () => {
    for (const [path, answer] of [
      ['/typed', 'hi!'],
      ['/script', 'js hi'],
      ['/module', 'mjs hi'],
      ['/common', 'cjs hi'],
      ['/bare', 'bare hi'],
    ]) {
      const web = await WebPeer.open(url + path);
      web.send('hi');
      expect(await web.text()).toBe(answer);
      await web.close();
    }
  });

  test.each([
    ['object.mjs', /its default export is not a class/],
    ['arrow.mjs', /its default export is not a class/],
    ['nothing.mjs', /its default export is not a class/],
    ['lacks.mjs', /it has no method onOther/],
    ['syntax.ts', /Unexpected token.*syntax\.ts:5:/],
    ['syntax.mjs', /Unexpected token.*syntax\.mjs:5:/],
    ['top.mjs', /thrown while loading.*\bline 4\b/],
    ['constructor.mjs', /no instance.*\bline 3\b/],
    ['imports.mjs', /not-there\.mjs/],
    ['taken.mjs', /its path \/module is taken by module\.mjs/],
    ['accepts.mjs', /accepts.*http/],
  ])('%s is refused in one line that names the file, the cause and the line', (name, cause) => {
    const lines = daemon.out.split('\n').filter((line) => line.includes(`/${name}: `));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/; ERROR Resource refused : /);
    expect(lines[0].slice(lines[0].indexOf(name) + name.length)).toMatch(cause);
  });

  test('what is no resource file is not spoken of', () => {
    expect(daemon.out).not.toMatch(/readme\.md|types\.d\.ts|shout|package\.json/);
  });

  test('a kind of client that a file does not accept', async () => {
    const line = await RawPeer.line({ port: daemon.port }, '/typed');
    line.destroy();
    const daemonOfNone = startDaemon({ resources: { 'object.mjs': RESOURCES['object.mjs'] } });
    await expect(daemonOfNone).rejects.toThrow(/no resource in .* can be served/);
  });
});

describe('a resource that fails closes that client alone', () => {
  test.each([
    ['throws', 'it threw', /throws\.mjs:5:\d+/],
    ['rejects', 'it rejected', /rejects\.mjs:5:\d+/],
    ['throws-undefined', 'undefined', /undefined/],
  ])('/%s', async (name, message, where) => {
    const from = daemon.out.length;
    const bystander = await WebPeer.open(`${url}/${name}`);
    const web = await WebPeer.open(`${url}/${name}`);
    const script = await RawPeer.script({ port: daemon.port }, `/${name}`);
    const line = await RawPeer.line({ port: daemon.port }, `/${name}`);
    web.send('x');
    web.send('fine');
    script.write(clientFrame('x'));
    line.write('x\nfine\n');
    const packet = { opcode: 'close', error: 'the resource failed' };
    expect(await web.packet()).toEqual(packet);
    expect(await web.closed).toEqual({ code: 1011, reason: 'the resource failed' });
    expect(await script.packet()).toEqual(packet);
    expect(await script.closeFrame()).toEqual({ code: 1011, reason: 'the resource failed' });
    expect(await line.rest()).toBe(`${JSON.stringify(packet)}\n`);
    expect((await daemon.said(/ERROR #\d+ .*the resource failed: .*\n/, from))[0]).toMatch(where);
    await daemon.said(new RegExp(`/${name}: onError: ${message}[^]*/${name}: onClose: 1011`), from);
    bystander.send('fine');
    expect(await bystander.text()).toBe('fine');
    expect((await bystander.packet()).opcode).toBe('next');
    for (const peer of [script, line]) peer.destroy();
    await bystander.close();
    await othersServe();
  });

  test('/never: closed with 1011 after handlerTimeout', async () => {
    const from = daemon.out.length;
    const web = await WebPeer.open(`${url}/never`);
    const line = await RawPeer.line({ port: daemon.port }, '/never');
    web.send('x');
    line.write('x\n');
    const error = 'the resource took longer than 0.3 s';
    expect(await web.packet()).toEqual({ opcode: 'close', error });
    expect(await web.closed).toEqual({ code: 1011, reason: error });
    expect(await line.rest()).toBe(`${JSON.stringify({ opcode: 'close', error })}\n`);
    await daemon.said(/WARN #\d+ 127\.0\.0\.1 \/never: over \[limits\] handlerTimeout: /, from);
    line.destroy();
    await othersServe();
  });

  test.each([
    ['later', 'thrown later'],
    ['stray', 'rejected by nobody'],
  ])('/%s: what nobody catches is logged, and everybody is served on', async (name, message) => {
    const from = daemon.out.length;
    const web = await WebPeer.open(`${url}/${name}`);
    expect(await web.ask('x')).toEqual({ opcode: 'next', fyi: '' });
    const said = await daemon.said(/ERROR nobody caught this error: .*\n/, from);
    expect(said[0]).toContain(message);
    expect(said[0]).toContain(`${name}.mjs:5`);
    web.send('fine');
    expect(await web.text()).toBe('fine');
    await web.packet();
    await web.close();
    await othersServe();
  });

  test('/worse: onOpen, onError and onClose fail, and the client is still closed as it should be', async () => {
    const from = daemon.out.length;
    const web = await WebPeer.open(`${url}/worse`);
    expect(await web.packet()).toEqual({ opcode: 'close', error: 'the resource failed' });
    expect(await web.closed).toMatchObject({ code: 1011 });
    await daemon.said(/the resource failed: onOpen threw/, from);
    await daemon.said(/ERROR .*onError failed.*onError threw/, from);
    await daemon.said(/ERROR .*onClose failed.*onClose rejected/, from);
    await othersServe();
  });
});
