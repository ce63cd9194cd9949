// Stands in for the card form of Stripe in tests: one field for the number of a test card. It is served by the provider of the tests,
// as the original is served by Stripe, and hands out the same kind of token.
{
  const base = new URL(document.currentScript.src).origin;

  const element = () => {
    const listeners = {};
    const field = document.createElement('input');
    field.dataset.test = 'card-number';
    field.inputMode = 'numeric';
    field.setAttribute('aria-label', 'Card number');
    const fault = document.createElement('p');
    fault.dataset.test = 'card-fault';
    fault.setAttribute('role', 'alert');
    return {
      field,
      fault,
      on: (event, done) => (listeners[event] = done),
      mount(node) {
        node.replaceChildren(field, fault);
        listeners.ready?.({});
      },
      unmount() {
        field.remove();
        fault.remove();
      },
    };
  };

  globalThis.Stripe = (key) => {
    if (!/^pk_(test|live)_/.test(key)) throw new Error('not a publishable key');
    return {
      elements(options) {
        if (!(options.mode === 'payment' && options.captureMethod === 'manual' && options.amount > 0 && options.currency)) {
          throw new Error('elements needs mode, amount, currency and captureMethod');
        }
        const made = element();
        return {
          made,
          create: () => made,
          update({ setupFutureUsage = null }) {
            if (![null, 'on_session', 'off_session'].includes(setupFutureUsage)) throw new Error('setupFutureUsage');
          },
          async submit() {
            const isNumber = /^[0-9 ]{12,}$/.test(made.field.value);
            made.fault.textContent = isNumber ? '' : 'Your card number is incomplete.';
            return isNumber ? {} : { error: { message: made.fault.textContent } };
          },
        };
      },
      async createConfirmationToken({ elements }) {
        const card = elements.made.field.value.replaceAll(' ', '');
        const sent = await fetch(`${base}/v1/confirmation_tokens`, { method: 'POST', body: new URLSearchParams({ card, key }) });
        const answer = await sent.json();
        if (!sent.ok) {
          elements.made.fault.textContent = 'Your card number is invalid.';
          return { error: { message: elements.made.fault.textContent } };
        }
        return { confirmationToken: answer };
      },
    };
  };
}
