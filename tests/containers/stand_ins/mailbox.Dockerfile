# axllent/mailpit: the program, without the page that its build makes with npm.
FROM scratch
COPY mailpit /mailpit
ENTRYPOINT ["/mailpit"]
