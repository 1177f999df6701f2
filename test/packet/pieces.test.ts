import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { isBufferOff, isBufferOn, Pieces } from '../../src/packet/pieces.ts';

const LIMITS = { maxBuffer: 1000, maxChunks: 10 };

/** Adds messages as they arrive: somewhere in a larger buffer, which is spoilt afterwards. */
function add(pieces: Pieces, content: string | Buffer, first = false, binary = false): ReturnType<Pieces['add']> {
  const bytes = Buffer.concat([Buffer.from('xy'), Buffer.from(content as string), Buffer.from('z')]);
  const over = pieces[first ? 'addFirst' : 'add'](bytes, 2, bytes.length - 1, binary);
  bytes.fill(0xff);
  return over;
}

describe('bufferON and bufferOFF', () => {
  test.each([
    ['bufferON', true, false],
    ['bufferON and more', true, false],
    ['bufferONbufferOFF', true, false],
    ['bufferOFF', false, true],
    ['bufferOFF ', false, false],
    ['bufferO', false, false],
    ['bufferon', false, false],
    [' bufferON', false, false],
    ['BufferON', false, false],
    ['', false, false],
  ])('%j begins: %s, ends: %s', (text, on, off) => {
    const bytes = Buffer.from(`ON${text}OFF`);
    const end = 2 + text.length;
    expect([isBufferOn(bytes, 2, end), isBufferOff(bytes, 2, end)]).toEqual([on, off]);
  });
});

describe('Pieces', () => {
  test('joins what stands behind bufferON and every piece', () => {
    const pieces = new Pieces(LIMITS);
    expect(add(pieces, 'bufferONone ', true)).toBeNull();
    for (const text of ['two ', '', 'bufferON ', 'three']) expect(add(pieces, text)).toBeNull();
    expect(pieces.join()?.toString()).toBe('one two bufferON three');
  });

  test('nothing but bufferON and bufferOFF is an empty message', () => {
    const pieces = new Pieces(LIMITS);
    expect(add(pieces, 'bufferON', true)).toBeNull();
    expect(pieces.join()).toHaveLength(0);
  });

  test('text may be cut inside its characters, but the whole must be UTF-8', () => {
    const bytes = Buffer.from('Größe 🙂 €');
    for (let at = 0; at <= bytes.length; at++) {
      const pieces = new Pieces(LIMITS);
      add(pieces, Buffer.concat([Buffer.from('bufferON'), bytes.subarray(0, at)]), true);
      add(pieces, bytes.subarray(at));
      expect(pieces.join()?.toString()).toBe('Größe 🙂 €');
    }
    const bad = new Pieces(LIMITS);
    add(bad, Buffer.from('f09f', 'hex'));
    add(bad, 'x');
    expect(bad.join()).toBeNull();
  });

  test('the first piece says whether the whole is binary: then it may be anything', () => {
    const pieces = new Pieces(LIMITS);
    add(pieces, 'bufferON', true, false); // holds no piece
    add(pieces, Buffer.from('ff', 'hex'), false, true);
    add(pieces, Buffer.from('00', 'hex'), false, false);
    expect([pieces.binary, pieces.join()?.toString('hex')]).toEqual([true, 'ff00']);
    const text = new Pieces(LIMITS);
    add(text, 'bufferONx', true, false);
    add(text, 'y', false, true);
    expect([text.binary, text.join()?.toString()]).toEqual([false, 'xy']);
    const whole = new Pieces(LIMITS);
    add(whole, Buffer.from('bufferON\xff', 'latin1'), true, true);
    expect([whole.binary, whole.join()?.toString('hex')]).toEqual([true, 'ff']);
    expect(new Pieces(LIMITS).binary).toBe(false);
  });

  test('exactly maxBuffer bytes, and one more', () => {
    const full = new Pieces(LIMITS);
    expect(add(full, `bufferON${'x'.repeat(400)}`, true)).toBeNull();
    expect(add(full, 'y'.repeat(600))).toBeNull();
    expect(add(full, '')).toBeNull();
    expect(add(full, 'z')).toBe('maxBuffer');
    expect(full.join()).toHaveLength(1000);
    // The word itself does not count.
    expect(add(new Pieces(LIMITS), `bufferON${'x'.repeat(1000)}`, true)).toBeNull();
    expect(add(new Pieces(LIMITS), `bufferON${'x'.repeat(1001)}`, true)).toBe('maxBuffer');
  });

  test('exactly maxChunks pieces, and one more, empty ones too', () => {
    const pieces = new Pieces(LIMITS);
    expect(add(pieces, 'bufferON', true)).toBeNull(); // holds no piece
    for (let i = 0; i < 10; i++) expect(add(pieces, i % 2 === 0 ? '' : 'x')).toBeNull();
    expect(add(pieces, '')).toBe('maxChunks');
    const counted = new Pieces({ maxBuffer: 1000, maxChunks: 2 });
    expect(add(counted, 'bufferONa', true)).toBeNull();
    expect(add(counted, 'b')).toBeNull();
    expect(add(counted, 'c')).toBe('maxChunks');
  });

  test('PROPERTY: what comes out is what went in', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 90 }), { maxLength: 10 }), (parts) => {
        const pieces = new Pieces(LIMITS);
        for (const part of parts) expect(add(pieces, Buffer.from(part), false, true)).toBeNull();
        expect(pieces.join()?.equals(Buffer.concat(parts))).toBe(true);
      }),
    );
  });
});
