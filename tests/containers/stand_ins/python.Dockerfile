# The official image: `python` is on the PATH. Its pip takes the wheels of requirements/main.txt, so that a build needs no network.
FROM local/debian:12
RUN ln -s /usr/bin/python3 /usr/local/bin/python
COPY wheels /wheels
RUN printf '[global]\nno-index = true\nfind-links = /wheels\n' >/etc/pip.conf
