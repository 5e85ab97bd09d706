/** The error categories of JSON: of syntax, and of structure, which messages between actors have, too. */
import { ErrorCategory } from './error-code.ts';
import { domMessages, faultMessages } from './json-lex.ts';

export const lexerCategory = new ErrorCategory(
  'trial.protocol.json',
  (code) => faultMessages[code] ?? 'Unknown error',
);
export const domCategory = new ErrorCategory('emilua.json.dom', (code) => domMessages[code] ?? '');
