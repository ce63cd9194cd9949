import js from '@eslint/js';
import globals from 'globals';

export default [
  js.configs.recommended,
  {
    languageOptions: { ecmaVersion: 2024, sourceType: 'module', globals: globals.browser },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      curly: ['error', 'multi-line'],
      eqeqeq: 'error',
      'no-eval': 'error',
      'no-implicit-globals': 'error',
      'no-shadow': 'error',
      'no-var': 'error',
      'object-shorthand': 'error',
      'prefer-const': 'error',
      // Text reaches the pages through `textContent` only, so that nothing that a viewer writes can become markup.
      'no-restricted-properties': [
        'error',
        ...['innerHTML', 'outerHTML', 'insertAdjacentHTML'].map((property) => ({ property, message: 'Use el().' })),
        { object: 'document', property: 'write', message: 'Use el().' },
        { object: 'crypto', property: 'randomUUID', message: 'It needs HTTPS; use newKey().' },
      ],
    },
  },
  { files: ['web-demo/lang/*.js'], rules: { 'no-dupe-keys': 'error' } },
  { files: ['tests/browser/*.test.js'], languageOptions: { globals: globals.node } },
  // The body of a function that the browser tests run in a page.
  {
    files: ['tests/browser/support/*.js'],
    languageOptions: { sourceType: 'script', parserOptions: { ecmaFeatures: { globalReturn: true } } },
    rules: { 'no-implicit-globals': 'off' },
  },
];
