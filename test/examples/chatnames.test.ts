import { describe, expect, test } from '@jest/globals';
import { enter, guest, keyOf, NEXT, newBench, refused, said, say } from '../support/chatguests.ts';

const UNSEEN = 'has only characters that can be seen';
const MIXED = 'is in one writing: Latin, Cyrillic or Greek letters, not several of them';

describe('names that look like another’s, or like nothing', () => {
  test.each([
    ['Alice\uFE0F', UNSEEN],
    ['Al\u034Fice', UNSEEN],
    ['Alice\u3164', UNSEEN],
    ['\uFFA0Alice', UNSEEN],
    ['Alice\u180B', UNSEEN],
    ['Alice\u17B4', UNSEEN],
    ['Alice\u{E0100}', UNSEEN],
    ['Alice\uD800', UNSEEN],
    ['\u3164', UNSEEN],
    ['\u2800', UNSEEN],
    ['\u0301', UNSEEN],
    ['\u0410lice', MIXED],
    ['Alic\u03B5', MIXED],
    ['\u0410\u03BB', MIXED],
    ['\uFDFA'.repeat(24), 'is too long where its characters are written out'],
  ])('%j is none, of a person or a room', async (name, why) => {
    const bench = newBench();
    const [client, ada] = [await bench.connect(), await guest(bench, 'Ada')];
    expect(await enter(client, name, 'lobby', keyOf('x'))).toEqual(refused(`a name ${why}`));
    expect(await ada.say({ opcode: 'rename', name })).toEqual(refused(`a name ${why}`));
    expect(await ada.say({ opcode: 'join', room: name })).toEqual(refused(`the name of a room ${why}`));
  });

  test.each(['Алиса', 'Αλίκη', 'Zoë', '愛麗絲', 'أليس', 'Иван 7', 'İ'.repeat(24), 'R2-D2', '😀', 'アリス Alice'])(
    '%s is one',
    async (name) => {
      const client = await newBench().connect();
      expect(await enter(client, name, 'lobby', keyOf('x'))).toEqual(NEXT);
    },
  );

  test('what is written otherwise and reads the same is the same name, of a person and of a room', async () => {
    const bench = newBench();
    await guest(bench, 'Alice');
    const client = await bench.connect();
    const taken = refused('Alice is here already: take another name');
    for (const name of ['ALICE', 'Ａｌｉｃｅ', ' alice ']) {
      expect(await enter(client, name, 'lobby', keyOf('x'))).toEqual(taken);
    }
    await enter(client, 'Bob', 'Ｌｏｂｂｙ');
    await say(client, 'hello');
    expect(client.packets.find(({ opcode }) => opcode === 'room')).toMatchObject({
      room: 'lobby',
      people: [{ name: 'Alice' }, { name: 'Bob' }],
    });
  });

  test('a name is free when its owner has another, or comes in anew with another', async () => {
    const bench = newBench();
    const [ada, bob] = [await guest(bench, 'Ada'), await guest(bench, 'Bob')];
    await ada.say({ opcode: 'rename', name: 'Zoë' });
    expect(await bob.say({ opcode: 'rename', name: 'Ada' })).toEqual(NEXT);
    expect(await enter(ada, 'Eve', 'lobby', keyOf('Ada'))).toEqual(NEXT);
    expect(await bob.say({ opcode: 'rename', name: 'Zoë' })).toEqual(NEXT);
    const again = await bench.connect();
    expect(await enter(again, 'Cy', 'lobby', keyOf('Bob'))).toEqual(NEXT);
    expect(await ada.say({ opcode: 'rename', name: 'zoë' })).toEqual(NEXT);
    expect(await ada.say({ opcode: 'tell', to: 'cy', text: 'hello' })).toEqual(NEXT);
    expect(again.packets.at(-1)).toMatchObject({ opcode: 'private', text: 'hello' });
  });
});

describe('texts', () => {
  test('nothing in one turns what follows around', async () => {
    const ada = await guest(newBench(), 'Ada');
    await say(ada, 'a\u202Ab\u202Bc\u202Cd\u202De\u202Egnp.exe \u2066f\u2067g\u2068h\u2069 i');
    expect(said(ada)[0].text).toBe('abcdegnp.exe fgh i');
  });

  test.each(['\u3164', '\u202E', '\u200B\u200D', '\u2800 \u2800', '\uFE0F', '\u0301', '\uE000'])(
    '%j shows nothing, so it is refused',
    async (text) => {
      const ada = await guest(newBench(), 'Ada');
      expect(await ada.say({ opcode: 'say', text })).toEqual(refused('the message is empty'));
    },
  );

  test('half of a character is mended', async () => {
    const ada = await guest(newBench(), 'Ada');
    await say(ada, 'a\uD83Db 😀 👩‍👩‍👧 ❤️');
    expect(said(ada)[0].text).toBe('a\uFFFDb 😀 👩‍👩‍👧 ❤️');
    const id = await say(ada, `${'x'.repeat(118)}😀${'y'.repeat(9)}`);
    await say(ada, 'so', id);
    expect(said(ada)[1]).toMatchObject({ quote: { text: `${'x'.repeat(118)}…` } });
  });
});
